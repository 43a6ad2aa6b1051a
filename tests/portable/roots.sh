# Roots of Debian's releases, for tests that need other systems than this one; read by scripts that set $top, $build,
# the build directory, and $me, who complains.
# shellcheck shell=sh disable=SC2154

roots=$build/portable/roots
# shellcheck source=tests/portable/mirror.sh
. "$top/tests/portable/mirror.sh"

fail() {
    echo "$me: $1" >&2
    exit 1
}

skip() {
    echo "SKIPPED: tests/$me/run: $1" >&2
    [ -z "${NO_SKIP-}" ]
    exit
}

# Only unpacked, never configured: that takes seconds, and no package's scripts run. With /lib in
# /usr, where musl-gcc looks for a shared libc.
make_root() { # name, suite, architecture, packages
    [ ! -e "$roots/$1.done" ] || return 0
    echo "  ROOT   $roots/$1"
    rm -rf "${roots:?}/$1"
    mkdir -p "$roots"
    mmdebstrap --quiet --mode=root --variant=extract --arch="$3" --include="$4" \
        --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr "$2" "$roots/$1" "$mirror" \
        >"$roots/$1.log" 2>&1 || {
        cat "$roots/$1.log" >&2
        fail "no root of $2"
    }
    touch "$roots/$1.done"
}

need_root_and_mirror() { # suite
    [ "$(id -u)" -eq 0 ] || skip 'needs root, to make roots and to enter them'
    mkdir -p "$build/$me"
    /usr/lib/apt/apt-helper download-file "$mirror/dists/$1/Release" "$build/$me/Release" >/dev/null 2>&1 ||
        skip "Debian's mirror '$mirror' is out of reach"
}

# --- what ran ---
#
# In $build/ran a file for each of the tests, with rows of libc, architecture, where, and what ran. Such a file
# tells of the last run that passed.

begin_ran() {
    mkdir -p "$build/ran"
    rm -f "$build/ran/$1"
    ran=$here/ran
    : >"$ran"
}

add_ran() { # libc, architecture, where, what
    printf '%s\t%s\t%s\t%s\n' "$@" >>"$ran"
}

end_ran() {
    cp "$ran" "$build/ran/$1"
    echo 'What ran'
    awk -F '\t' '
        { place = sprintf("  %-32s %-8s %-18s", $1, $2, $3) }
        !(place in what) { order[++count] = place; what[place] = $4; next }
        { what[place] = what[place] ", " $4 }
        END { for (i = 1; i <= count; i++) print order[i], what[order[i]] }' "$build"/ran/*
}

# A libc says what it is when it is run.
name_libc() { # what runs it
    "$@" 2>&1 | sed -n 's/^GNU C Library (Debian \([^)]*\)).*/\1/p; s/^Version /musl /p' | sed 's/^GLIBC/glibc/'
}
