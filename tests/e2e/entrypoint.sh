#!/bin/sh
# What scripts/settle-entrypoint promises, shown with every shell it is written for: what the program gets,
# what happens where the library does not load, and what becomes of signals, orphans and stores.
#
# As root also in pid namespaces and in roots that have next to nothing. BUILD: the build directory.
# shellcheck disable=SC2154 # $shell is of results.sh
set -u
tests=$(CDPATH='' cd "$(dirname -- "$0")" && pwd -P)
# shellcheck disable=SC1091 # not read
. "$tests/results.sh"
top=${tests%/*/*}
build=$top/${BUILD:-build}
entrypoint=$top/scripts/settle-entrypoint
library=$build/libsettle.so

# --- libraries ---

compile() { # name, source
    echo "$2" | ${CC:-cc} -shared -fPIC -Wl,-z,now -x c -o "$scratch/$1.so" - || exit 1
}

make_libraries() {
    compile other 'typedef int nothing;'
    compile third 'typedef int nothing;'
    compile undefined 'extern int nowhere(void); int call(void) { return nowhere(); }'
    compile crashing '#include <signal.h>
        __attribute__((constructor)) static void begin(void) { raise(SIGSEGV); }'
    echo 'not a library' >garbage.so
    : >empty.so
    mkdir directory.so
    head -c 3000 "$library" >cut.so
    # e_machine, at byte 18 of the ELF header: AArch64 here, and x86-64 there.
    cp "$library" elsewhere.so
    case $(uname -m) in
        x86_64) machine='\267' ;;
        *) machine='\076' ;;
    esac
    # shellcheck disable=SC2059 # an octal byte
    printf "$machine" | dd of=elsewhere.so bs=1 seek=18 conv=notrunc 2>/dev/null
    for place in lib lib64 "lib/$(${CC:-cc} -print-multiarch)"; do
        mkdir -p "libs/$place"
        cp "$library" "libs/$place/here.so"
    done
    cp "$library" by-hand.so
}

# --- how programs are started ---

# Leaves status, out and err. One that hangs is a failure, not the end of the tests.
start=$entrypoint
enter=
without_tini=
run() {
    # shellcheck disable=SC2086 # a shell of two words, and a command before it
    timeout 60 $enter $shell "$start" "$@" >"$scratch/out" 2>"$scratch/err"
    status=$?
    out=$(cat "$scratch/out")
    err=$(cat "$scratch/err")
}

as_first() {
    enter="unshare --pid --fork --mount-proc $without_tini"
    run "$@"
    enter=
}

# Dash opens a file by libc, as any program does; /bin: a busybox would take its own.
SH=/bin/sh

# The library in the program answers to a wrong setting.
wrong='warning: SETTLE_FALLBACK_DELAY='
runs_without() { # sentence, what the warning says: the program runs, and nothing else is said
    export SETTLE_FALLBACK_DELAY=wrong
    # shellcheck disable=SC2016 # for the program
    run "$SH" -c 'echo "ran with $#: ${LD_PRELOAD-nothing}"; exit 9' - a 'b c'
    unset SETTLE_FALLBACK_DELAY
    case $status:$out:$(printf '%s\n' "$err" | wc -l):$err in
        "9:ran with 2: ${3-nothing}:1:settle-entrypoint: warning: "*"$2"*'; the program runs without settle') result "$1" true ;;
        *) result "$1 (expected '$2')" false ;;
    esac
}

# --- what the program gets ---

the_program_is_run_as_given() {
    run /bin/cat /proc/self/maps
    says 'the library is in the program' "$library"
    holds 'nothing is said' [ -z "$err" ]
    run /bin/echo -- --help
    gives 'arguments that look like options are the program'\''s' '-- --help'
    # shellcheck disable=SC2016
    run /usr/bin/printf '[%s]' 'a b' '' '*' '$HOME' 'line
break' "it's" '\n'
    # shellcheck disable=SC2016
    gives 'arguments arrive intact' '[a b][][*][$HOME][line
break][it'\''s][\n]'
    echo input >in
    run /bin/cat <in
    gives 'standard input is the program'\''s' input
    # shellcheck disable=SC2016,SC2086
    out=$("$SH" -c 'echo $$; exec "$@"' - $shell "$entrypoint" "$SH" -c 'echo $$' 2>&1)
    status=$? err=''
    holds "the program takes the entrypoint's process over" [ "$(echo "$out" | sort -u | wc -l)" -eq 1 ]
    # shellcheck disable=SC2086
    out=$($shell "$entrypoint" "$SH" -c 'exit 4' 2>&-)
    holds 'a closed standard error is no matter' [ $? -eq 4 ]

    set -- PATH="$PATH" PWD="$PWD" LC_ALL=C version=v program=p library=l place=p name=n list=l others=o \
        entry=e home=h reason=r shown=s said=s code=c 'space=a b' SETTLE_MAX_WAIT=1 SETTLE_LOG=off \
        SETTLE_AFTER=0 "SETTLE_LIBRARY=$scratch/by-hand.so"
    env -i "$@" /usr/bin/env | sort >before
    # shellcheck disable=SC2086
    env -i "$@" $shell "$entrypoint" /usr/bin/env 2>err |
        grep -v -e '^LD_PRELOAD=' -e '^_=' -e '^SHLVL=' -e '^OLDPWD=' | sort >after
    out=$(diff before after)
    status=$? err=$(cat err)
    gives 'the environment is otherwise unchanged' ''
}

exit_codes_are_those_of_env() {
    for code in 0 1 2 125 255; do
        run "$SH" -c "exit $code"
        holds "the program's exit code $code is kept" [ "$status" = "$code" ]
    done
    # shellcheck disable=SC2016
    run "$SH" -c 'kill -TERM $$'
    holds "the program's death by a signal is kept" [ "$status" = 143 ]
    run
    fails 'a program is needed' 125 \
        "settle-entrypoint: no program: expected 'settle-entrypoint program [argument ...]', see 'settle-entrypoint --help'"
    run ''
    fails 'nothing is no program' 127 "settle-entrypoint: '': no such program"
    for name in --log -x; do
        run "$name"
        fails "'$name' is no program, and no option" 127 "settle-entrypoint: '$name': no such program; settings are no options here, but variables of the container, such as SETTLE_LOG=info"
    done
    run no-such-program
    fails_naming 'a program that is not found is 127' 127 no-such-program
    run "$scratch/garbage.so"
    fails_naming 'a file that is not executable is 126' 126 "$scratch/garbage.so"
    run "$scratch"
    fails_naming 'a directory is 126' 126 "$scratch"
    run print_help
    fails_naming 'a function of the entrypoint is no program' 127 print_help
}

preload_is_kept() {
    while IFS='|' read -r before after sentence; do
        export LD_PRELOAD="$before"
        run /usr/bin/printenv LD_PRELOAD
        unset LD_PRELOAD
        gives "$sentence" "$after"
    done <<END
$scratch/other.so|$library:$scratch/other.so|an existing LD_PRELOAD stays, behind the library
$scratch/other.so $scratch/third.so|$library:$scratch/other.so:$scratch/third.so|several stay in their order
|$library|an empty LD_PRELOAD adds nothing
$library|$library|the library is not there twice
$scratch/other.so:$library:$scratch/third.so|$library:$scratch/other.so:$scratch/third.so|the library moves to the front
END
    # shellcheck disable=SC2086
    run $shell "$entrypoint" /usr/bin/printenv LD_PRELOAD
    gives 'an entrypoint under the entrypoint changes nothing' "$library"
}

the_library_is_found() {
    rm -rf prefix tree links
    mkdir -p prefix/bin prefix/lib/settle tree/scripts tree/build links bare
    cp "$entrypoint" prefix/bin/
    cp "$library" prefix/lib/settle/
    cp "$entrypoint" tree/scripts/
    cp "$library" tree/build/
    ln -s ../prefix/bin/settle-entrypoint links/one

    start=$scratch/prefix/bin/settle-entrypoint
    run /usr/bin/printenv LD_PRELOAD
    gives 'installed the library is in lib/settle' "$scratch/prefix/lib/settle/libsettle.so"
    start=prefix/bin/settle-entrypoint
    run /usr/bin/printenv LD_PRELOAD
    gives 'a relative path to the entrypoint leads there too' "$scratch/prefix/lib/settle/libsettle.so"
    start=$scratch/tree/scripts/settle-entrypoint
    run /usr/bin/printenv LD_PRELOAD
    gives 'in a source tree it is in build' "$scratch/tree/build/libsettle.so"
    start=links/one
    run /usr/bin/printenv LD_PRELOAD
    gives 'links to the entrypoint are followed' "$scratch/prefix/lib/settle/libsettle.so"
    start=$scratch/prefix/bin/settle-entrypoint
    # shellcheck disable=SC2230 # its path
    first=$(which "${shell%% *}")
    # shellcheck disable=SC2086
    out=$(PATH=$scratch/bare $first ${shell#"${shell%% *}"} "$start" /usr/bin/printenv LD_PRELOAD 2>&1)
    status=$? err=''
    gives 'no other command is needed' "$scratch/prefix/lib/settle/libsettle.so"
    rm prefix/lib/settle/libsettle.so
    runs_without 'no library' \
        "no libsettle.so in '$scratch/prefix/build' or '$scratch/prefix/lib/settle'; SETTLE_LIBRARY may name another"
    start=$entrypoint

    export SETTLE_LIBRARY="$scratch/by-hand.so"
    run /usr/bin/printenv LD_PRELOAD
    gives 'SETTLE_LIBRARY names another library' "$scratch/by-hand.so"
    SETTLE_LIBRARY=by-hand.so
    run /usr/bin/printenv LD_PRELOAD SETTLE_LIBRARY
    gives 'a relative SETTLE_LIBRARY becomes absolute in LD_PRELOAD' "$scratch/by-hand.so
by-hand.so"
    # shellcheck disable=SC2016 # for the loader
    SETTLE_LIBRARY=$scratch'/libs/$LIB/here.so'
    # shellcheck disable=SC2016
    run "$SH" -c 'grep -q /here.so /proc/$$/maps && echo "$LD_PRELOAD"'
    # shellcheck disable=SC2016
    gives '$LIB is left for the loader' "$SETTLE_LIBRARY"
    unset SETTLE_LIBRARY
}

# --- where it does not load ---

cannot='LD_PRELOAD cannot carry a path with a space or a colon; set SETTLE_LIBRARY to a link or a copy without'
without_the_library_the_program_runs_all_the_same() {
    for name in garbage empty cut elsewhere undefined crashing; do
        export SETTLE_LIBRARY="$scratch/$name.so"
        runs_without "$name: the program runs without it" "library '$SETTLE_LIBRARY': does not load: "
    done
    for name in nowhere directory; do
        SETTLE_LIBRARY=$scratch/$name.so
        runs_without "$name: the program runs without it" \
            "library '$SETTLE_LIBRARY': expected a file that can be read; SETTLE_LIBRARY may name another"
    done
    for name in 'a space/lib.so' 'a:colon/lib.so' 'a	tab/lib.so'; do
        SETTLE_LIBRARY=$scratch/$name
        runs_without "'$name' is refused, and the program runs" "library '$SETTLE_LIBRARY': $cannot"
    done
    # shellcheck disable=SC2016
    SETTLE_LIBRARY=$scratch'/elsewhere/$LIB/here.so'
    # shellcheck disable=SC2016
    runs_without 'a $LIB that leads nowhere' "library '$SETTLE_LIBRARY': does not load: "
    SETTLE_LIBRARY=$scratch/garbage.so
    export SETTLE_AFTER=1
    runs_without 'also where it should stay' "library '$SETTLE_LIBRARY': does not load: "
    unset SETTLE_AFTER
    export LD_PRELOAD="$scratch/other.so $scratch/third.so"
    runs_without 'the LD_PRELOAD of others stays as it is' "library '$SETTLE_LIBRARY': does not load: " \
        "$scratch/other.so $scratch/third.so"
    unset LD_PRELOAD SETTLE_LIBRARY
    rm -rf prefix
    mkdir -p prefix/bin prefix/lib/settle
    cp "$entrypoint" prefix/bin/
    cp undefined.so prefix/lib/settle/libsettle.so
    export SETTLE_LIBRARY="$scratch/elsewhere.so" LD_PRELOAD="$scratch/other.so:$scratch/elsewhere.so"
    # shellcheck disable=SC2086
    out=$($shell "$entrypoint" /usr/bin/printenv LD_PRELOAD 2>/dev/null)
    status=$? err=''
    unset SETTLE_LIBRARY LD_PRELOAD
    gives 'a library that does not load is taken out of LD_PRELOAD' "$scratch/other.so"
}

the_trial_leaves_no_traces() {
    rm -f log record
    export SETTLE_LOG_FILE="$scratch/log" SETTLE_RECORD="$scratch/record" SETTLE_DISABLE=1
    run /usr/bin/printenv SETTLE_DISABLE
    gives 'a library that is switched off is loaded all the same' 1
    unset SETTLE_LOG_FILE SETTLE_RECORD SETTLE_DISABLE
    holds 'the trial writes neither log nor record' [ ! -e log ] && [ ! -e record ]
}

# --- it stays ---

held_store() { # milliseconds
    rm -rf store holder
    mkdir store
    : >holder
    : >store/chroma.sqlite3
    "$build/programs/holder" posix "$scratch/store/chroma.sqlite3" "$1" >holder &
    until grep -q held holder; do sleep 0.01; done
}

ended_after_the_release() {
    out=$(cat holder)
    wait
    case $out in
        *released*) ;;
        *) false ;;
    esac
}

ended_before_the_release() {
    out=$(cat holder)
    kill $!
    wait
    case $out in
        *released*) false ;;
    esac
}

after_the_end_its_stores_are_waited_for() {
    export SETTLE_MAX_WAIT=20
    # shellcheck disable=SC2016 # for the program
    killed='exec 3<>store/chroma.sqlite3; kill -KILL $$'
    held_store 20000
    run "$SH" -c "$killed"
    holds 'without SETTLE_AFTER a killed program ends at once' ended_before_the_release
    export SETTLE_AFTER=1
    held_store 500
    run "$SH" -c "$killed"
    holds 'SETTLE_AFTER=1: the store of a killed program is waited for' ended_after_the_release
    holds 'SETTLE_AFTER=1: its end is kept' [ "$status" = 137 ]
    export SETTLE_MAX_WAIT=50ms SETTLE_CHECK_INTERVAL=soon
    held_store 20000
    run "$SH" -c "$killed"
    holds 'for SETTLE_MAX_WAIT at most' ended_before_the_release
    case $err in
        *"SETTLE_CHECK_INTERVAL='soon'"*'still locked after '*) result 'then the holder is named, and a wrong setting is no matter' true ;;
        *) result 'then the holder is named, and a wrong setting is no matter' false ;;
    esac
    export SETTLE_MAX_WAIT=20 SETTLE_CHECK_INTERVAL='' SETTLE_RULES="$scratch/store: max_wait=50ms name=short"
    held_store 20000
    run "$SH" -c "$killed"
    holds 'for the max_wait of its rule' ended_before_the_release
    case $err in
        *rule=short*) result 'which is named' true ;;
        *) result 'which is named' false ;;
    esac
    unset SETTLE_MAX_WAIT SETTLE_CHECK_INTERVAL SETTLE_RULES
    rm -rf store
    mkdir store
    SETTLE_AFTER=checkpoint
    run /usr/bin/python3 -c "import os, sqlite3
c = sqlite3.connect('store/chroma.sqlite3', isolation_level=None)
c.execute('pragma journal_mode=wal')
c.execute('create table t(x)')
os.kill(os.getpid(), 9)"
    holds 'SETTLE_AFTER=checkpoint: its end is kept' [ "$status" = 137 ]
    cp store/chroma.sqlite3 alone.sqlite3
    holds 'the main file alone is whole' [ "$(sqlite3 alone.sqlite3 .tables)" = t ]
    SETTLE_AFTER=1

    # shellcheck disable=SC2016
    run "$SH" -c 'grep -c libsettle /proc/$PPID/maps; echo "$LD_PRELOAD ${SETTLE_PRELOAD-}"'
    gives 'only the program has the library' "0
$library "
    export LD_PRELOAD="$scratch/other.so"
    # shellcheck disable=SC2016
    run "$SH" -c 'grep -c -e libsettle -e elsewhere /proc/$PPID/maps; echo "$LD_PRELOAD"'
    unset LD_PRELOAD
    gives 'that of others stays' "0
$library:$scratch/other.so"
    for value in yes 2 01 ' 1'; do
        SETTLE_AFTER=$value
        # shellcheck disable=SC2016,SC2086
        out=$("$SH" -c 'echo $$; exec "$@"' - $shell "$entrypoint" "$SH" -c 'echo $$' 2>err | sort -u | wc -l)
        status=$? err=$(cat err)
        holds "SETTLE_AFTER='$value' is refused, and 0 is used" \
            [ "$out:$err" = "1:settle-entrypoint: warning: SETTLE_AFTER='$value': expected 0, 1 or checkpoint; 0 is used" ]
    done
    SETTLE_AFTER=1
    rm -rf prefix
    mkdir -p prefix/bin prefix/lib/settle
    cp "$entrypoint" prefix/bin/
    cp "$library" prefix/lib/settle/
    cp "$build/settle-run" prefix/lib/settle/
    start=$scratch/prefix/bin/settle-entrypoint
    for broken in garbage.so /dev/null; do
        cat $broken >prefix/bin/settle-wait
        chmod 755 prefix/bin/settle-wait
        run /usr/bin/printenv LD_PRELOAD
        holds "with $broken for settle-wait the program has the library" \
            [ "$status:$out" = "0:$scratch/prefix/lib/settle/libsettle.so" ]
        holds 'and a warning says so' [ "$err" = "settle-entrypoint: warning: SETTLE_AFTER=1: no settle-run and settle-wait that run here in '$scratch/prefix/lib/settle' or '$scratch/prefix/bin'; after the program's end its stores are not waited for" ]
    done
    start=$entrypoint
    unset SETTLE_AFTER
}

# --- as the first process ---

stays_as_first_process() { # the name of what stays
    # shellcheck disable=SC2016
    as_first "$SH" -c 'read name </proc/1/comm; echo "$name"; exit 3'
    holds "as the first process stays $1" [ "$status:$out:$err" = "3:$1:" ]
    as_first "$SH" -c 'trap "echo got; exit 5" TERM; kill -TERM 1; while :; do sleep 0.02; done'
    holds "$1: a signal is passed on" [ "$status:$out:$err" = 5:got: ]
    export SETTLE_MAX_WAIT=20
    held_store 500
    as_first "$SH" -c 'exec 3<>store/chroma.sqlite3; kill -TERM 1; sleep 20'
    holds "$1: a program that SIGTERM ends has its store waited for" ended_after_the_release
    unset SETTLE_MAX_WAIT
    holds "$1: and ends by SIGTERM" [ "$status" = 143 ]
}

# What no shell has a part in.
attends_as_first_process() { # its name
    for code in 0 1 125 126 127 128 255; do
        as_first "$SH" -c "exit $code"
        holds "$1: exit code $code" [ "$status$err" = "$code" ]
    done
    for signal in 1 2 9 15 11; do
        as_first "$SH" -c "kill -$signal \$\$"
        holds "$1: the program's death by signal $signal" [ "$status" = $((128 + signal)) ]
    done
    # An orphan that nobody reaps stays.
    # shellcheck disable=SC2016
    as_first "$SH" -c '"$0" -c "sleep 0.1 & exit"
        for look in 1 2 3 4 5 6 7 8 9 10; do
            sleep 0.3
            grep -q "State:.Z" /proc/[0-9]*/status || exit 0
        done
        exit 1' "$SH"
    holds "$1: orphans are reaped" [ "$status" = 0 ]
    as_first no-such-program
    case $status:$err in
        127:*no-such-program*) result "$1: a program that is not found is 127" true ;;
        *) result "$1: a program that is not found is 127" false ;;
    esac
}

# PATH without tini, where this machine has one.
leave_tini_out() {
    mkdir -p no-tini
    for name in env sleep grep "${shell%% *}"; do
        ln -sf "$(command -v "$name")" no-tini/
    done
    without_tini="env PATH=$scratch/no-tini"
}

in_a_pid_namespace() {
    [ "$(id -u)" -eq 0 ] || {
        skipped 'a pid namespace needs root'
        return
    }
    # shellcheck disable=SC2016
    as_first "$SH" -c 'read name </proc/1/comm; echo "$name $$"; exit 3'
    holds 'as the first process it becomes the program' [ "$status:$out:$err" = '3:sh 1:' ]
    export SETTLE_AFTER=1
    if command -v tini >/dev/null; then
        stays_as_first_process tini
        [ "$shell" != sh ] || attends_as_first_process tini
    else
        skipped 'there is no tini'
    fi
    leave_tini_out
    stays_as_first_process settle-run
    [ "$shell" != sh ] || attends_as_first_process settle-run
    without_tini=
    unset SETTLE_AFTER
}

# --- settle-run ---

# Over the whole range. Those that stop a process or do nothing are left out; none is ignored, as SIGHUP is under nohup.
ends() { # who, a command before it
    who=$1
    shift
    others=
    for code in $(seq 0 255); do
        "$@" "$build/settle-run" "$build/settle-wait" -- "$SH" -c "exit $code" 2>err
        status=$?
        [ "$status" = "$code" ] || others="$others $code:$status"
    done
    out=$others err=''
    holds "$who: exit codes from 0 to 255" [ -z "$others" ]
    others=
    for signal in $(seq 1 16) $(seq 24 27) $(seq 29 31) $(seq 34 64); do
        "$@" env --default-signal "$build/settle-run" "$build/settle-wait" -- "$SH" -c "ulimit -c 0; kill -$signal \$\$" 2>err
        status=$?
        [ "$status" = $((128 + signal)) ] || others="$others $signal:$status"
    done
    out=$others
    holds "$who: signals from 1 to 64" [ -z "$others" ]
}

settle_run_ends_as_its_command() {
    ends settle-run env
    if [ "$(id -u)" -eq 0 ]; then
        ends 'settle-run as the first process' unshare --pid --fork
    else
        skipped 'a pid namespace needs root'
    fi
}

# --- roots with next to nothing ---

# BusyBox without its links: the shell finds no command but its own.
make_root() { # name
    mkdir -p "root-$1/bin" "root-$1/tmp" "root-$1/proc" "root-$1/opt/settle/bin" "root-$1/opt/settle/lib/settle"
    cp "$entrypoint" "root-$1/opt/settle/bin/"
    cp "$library" "$build/static/settle-run" "root-$1/opt/settle/lib/settle/"
    cp "$build/static/settle-wait" "root-$1/opt/settle/bin/"
}

copy_with_libraries() { # root, program, its name there
    cp "$2" "root-$1/bin/$3"
    { ldd "$2" && ldd "$library"; } | grep -o '/[^ ]*' | sort -u | while read -r needed; do
        mkdir -p "root-$1${needed%/*}"
        cp -L "$needed" "root-$1$needed"
    done
}

in_root() { # root, arguments
    root=$scratch/root-$1
    shift
    timeout 60 env -i SETTLE_FALLBACK_DELAY=wrong ${after:+SETTLE_AFTER=1} PATH=/bin \
        "$(command -v chroot)" "$root" /bin/sh /opt/settle/bin/settle-entrypoint "$@" >out 2>err
    status=$?
    out=$(cat out)
    err=$(cat err)
}

loaded_once() { # sentence
    case $status:$out:$err in
        0:hello:"settle["*"]: $wrong"*"
"*) result "$1" false ;;
        0:hello:"settle["*"]: $wrong"*) result "$1" true ;;
        *) result "$1" false ;;
    esac
}

does_not_load() { # image, what the loader says
    case $status:$out:$err in
        0:hello:*"does not load: $2"*) result "$1: a library that does not load is noticed" true ;;
        *) result "$1: a library that does not load is noticed" false ;;
    esac
}

in_an_image_with() {
    shell='chroot'
    [ "$(id -u)" -eq 0 ] || {
        skipped 'a root needs root'
        return
    }
    case $(ldd "$(command -v busybox)" 2>&1) in
        *'not a dynamic'*) ;;
        *)
            skipped 'no statically linked busybox'
            return
            ;;
    esac
    make_root static
    cp "$(command -v busybox)" root-static/bin/sh
    cp "$(command -v busybox)" root-static/bin/busybox
    in_root static /bin/busybox echo hello
    holds 'a static shell and nothing else: the program runs' \
        [ "$status:$out" = 0:hello ]
    holds 'and nothing shows that the library loads' [ "$err" = "settle-entrypoint: warning: library '/opt/settle/lib/settle/libsettle.so': no shell and no loader of this image shows that it loads; the program runs without settle" ]

    make_root glibc
    cp "$(command -v busybox)" root-glibc/bin/sh
    copy_with_libraries glibc /bin/echo greet
    in_root glibc greet hello
    loaded_once 'a static shell and glibc: the library is in the program'
    printf '#!/bin/sh\nexec greet "$@"\n' >root-glibc/bin/script
    chmod 755 root-glibc/bin/script
    in_root glibc script hello
    loaded_once 'a static shell and glibc: also where the program is a script'
    cp elsewhere.so root-glibc/opt/settle/lib/settle/libsettle.so
    in_root glibc greet hello
    does_not_load 'a static shell and glibc' 'ERROR: ld.so'

    make_root dash
    copy_with_libraries dash "$(readlink -f "$(command -v dash)")" sh
    copy_with_libraries dash /bin/echo greet
    in_root dash greet hello
    loaded_once 'a shell without any command: the library is in the program'

    make_root musl
    cp "$(command -v busybox)" root-musl/bin/sh
    printf '#include <stdio.h>\nint main(int argc, char **argv) { puts(argv[argc - 1]); return 0; }\n' >greet.c
    musl-gcc -o root-musl/bin/greet greet.c || exit 1
    musl=$(readelf -p .interp root-musl/bin/greet | grep -o '/lib/ld-musl[^ ]*')
    mkdir -p "root-musl${musl%/*}"
    cp -L "$musl" "root-musl$musl"
    in_root musl greet hello
    loaded_once 'a static shell and musl: the library is in the program'
    after=1
    in_root musl greet hello
    after=
    loaded_once 'SETTLE_AFTER=1: static programs run under musl'
    cp undefined.so root-musl/opt/settle/lib/settle/libsettle.so
    in_root musl greet hello
    does_not_load 'a static shell and musl' 'Error relocating'
}

who_asks_what_was_done_hears_of_a_static_program() {
    static=$build/static/settle-wait
    run "$static" --version
    holds 'a static program is run, and nothing is said' [ "$status:$out:$err" = "0:settle-wait ${out##* }:" ]
    for setting in SETTLE_LOG=info SETTLE_SUMMARY=on SETTLE_RECORD=record.jsonl; do
        export "${setting?}"
        run "$static" --version
        holds "$setting: that no close waits in a static program is said" \
            [ "$status:$err" = "0:settle-entrypoint: '$static': statically linked: no close in it waits; what it starts has the library" ]
        run "$SH" -c :
        holds "$setting: nothing of it is said of another" [ "${err#*statically}" = "$err" ]
        unset "${setting%%=*}"
    done
}

help_is_complete() {
    run --version
    gives '--version prints name and version' "settle-entrypoint $(sed -n 's/^#define SETTLE_VERSION "\(.*\)"$/\1/p' "$top/shim/settle.h")"
    run --help
    holds '--help succeeds and goes to standard output' [ "$status$err" = 0 ]
    holds '--help fits into 80 columns' [ "$(printf '%s\n' "$out" | awk 'length > 80' | wc -l)" -eq 0 ]
    for text in 'Usage: settle-entrypoint program' ENTRYPOINT SETTLE_LIBRARY SETTLE_AFTER tini LD_PRELOAD 125 126 127; do
        says "--help says '$text'" "$text"
    done
}

run_with_this_shell() {
    the_program_is_run_as_given
    exit_codes_are_those_of_env
    preload_is_kept
    the_library_is_found
    without_the_library_the_program_runs_all_the_same
    the_trial_leaves_no_traces
    after_the_end_its_stores_are_waited_for
    in_a_pid_namespace
    who_asks_what_was_done_hears_of_a_static_program
    help_is_complete
}

after=
make_libraries
with_every_shell run_with_this_shell
shell=settle-run
settle_run_ends_as_its_command
in_an_image_with
all_passed
