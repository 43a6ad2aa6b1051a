# Roots of Debian's releases, for tests that need other systems than this one; read by scripts that set $top, $build,
# the build directory, and $me, who complains. What was downloaded stays in $cache, outside of the checkout: a root
# is unpacked from there.
# shellcheck shell=sh disable=SC2154

cache=$("$top/tests/cache" roots) || exit 1
roots=$build/$me/roots
ROOT_DAYS=30 # then it is made anew: releases get new packages

# The mirror of Debian that this machine uses, which has the other releases, too.
# shellcheck disable=SC2016 # the $() is for apt-get
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | head -n 1)
mirror=${mirror%/}

fail() {
    echo "$me: $1" >&2
    exit 1
}

skip() {
    echo "SKIPPED: tests/$me/run: $1" >&2
    [ -z "${NO_SKIP-}" ]
    exit
}

need_root_and_mirror() { # suite
    [ "$(id -u)" -eq 0 ] || skip 'needs root, to make roots and to enter them'
    mkdir -p "$build/$me"
    /usr/lib/apt/apt-helper download-file "$mirror/dists/$1/Release" "$build/$me/Release" >/dev/null 2>&1 ||
        skip "Debian's mirror '$mirror' is out of reach"
}

# The archive of a root in the cache, whose name tells of all that it was made from; made where it is not there.
# A suite whose Release file has expired, as on a mirror that is kept still, serves a test all the same.
# Where $beside names a suite, such as experimental, it adds to the first one.
root_archive() { # suite, architecture, packages, variant
    key=$(echo "$@" "$mirror" ${beside:+"$beside"} | sha256sum | cut -c 1-12)
    archive=$cache/$1-$2-$4-$key.tar.zst
    [ -z "$(find "$archive" -mtime -$ROOT_DAYS 2>/dev/null)" ] || return 0
    find "$cache" -name '*.tar.zst' -mtime +$ROOT_DAYS -delete # nobody takes them any more
    case $4 in
        extract) hooks=--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr ;;
        *) hooks= ;;
    esac
    # shellcheck disable=SC2086 # no word where there is no hook
    if mmdebstrap --quiet --mode=root --variant="$4" --arch="$2" --include="$3" $hooks --format=tar \
        --dpkgopt=force-unsafe-io --aptopt='Acquire::Check-Valid-Until "false"' "$1" - "$mirror" \
        ${beside:+"deb $mirror $beside main"} \
        2>"$archive.$$.log" >"$archive.$$.tar" &&
        zstd -q -1 "$archive.$$.tar" -o "$archive.$$" && mv "$archive.$$" "$archive"; then
        rm -f "$archive.$$".*
        return
    fi
    cat "$archive.$$.log" >&2
    rm -f "$archive.$$" "$archive.$$".*
    fail "no root of $1"
}

# A root of one's own. In the variant `extract`, packages are only unpacked, never configured: that takes seconds, and
# no package's scripts run; with /lib in /usr, where musl-gcc looks for a shared libc.
make_root() { # name, suite, architecture, packages, variant (extract)
    root_archive "$2" "$3" "$4" "${5:-extract}"
    [ "$(cat "$roots/$1.done" 2>/dev/null)" != "$archive" ] || return 0
    echo "  ROOT   $roots/$1"
    rm -rf "${roots:?}/$1"
    mkdir -p "$roots/$1"
    tar -x --zstd -C "$roots/$1" -f "$archive" || fail "cannot unpack $archive"
    echo "$archive" >"$roots/$1.done"
}

# A process of its own, with processes and devices: what runs sees a root as a machine. Where $objects is a directory,
# ccache keeps there what it makes.
in_root() { # name, command
    name=$1
    shift
    [ -z "${objects-}" ] || mkdir -p "$roots/$name/objects"
    # shellcheck disable=SC2016 # for the inner shell
    unshare --mount sh -c 'test -z "$1" || mount --bind "$1" "$2/objects" || exit; root=$2; shift 2
        exec unshare --root="$root" --mount-proc=/proc "$@"' sh "${objects-}" "$roots/$name" \
        env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C CCACHE_DIR=/objects CCACHE_NOHASHDIR=1 "$@"
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
