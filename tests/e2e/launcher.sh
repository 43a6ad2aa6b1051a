#!/bin/sh
# What scripts/settle promises, shown by running it with every shell it is written for. The library
# is a stand-in, an empty shared object: what is tested is what the launcher hands over.
#
# shellcheck disable=SC2154 # $shell is of results.sh
set -u
tests=$(CDPATH='' cd "$(dirname -- "$0")" && pwd -P)
# shellcheck disable=SC1091 # not read
. "$tests/results.sh"
root=${tests%/*/*}
launcher=$root/scripts/settle

library=$scratch/libsettle.so
other=$scratch/libother.so
third=$scratch/libthird.so
if ! echo 'typedef int nothing;' | ${CC:-cc} -shared -fPIC -x c -o "$library" -; then
    echo 'launcher.sh: no C compiler to build the stand-in library with' >&2
    exit 1
fi
cp "$library" "$other"
cp "$library" "$third"
cp "$library" "$scratch/libglob.so"
cp "$library" "$scratch/libgl[o]b.so"


# Runs the launcher; leaves status, out, err. The shell is one word or two (busybox sh). One that
# hangs is a failure, not the end of the tests.
start=$launcher
settle() {
    # shellcheck disable=SC2086
    SETTLE_LIBRARY=${SETTLE_LIBRARY-$library} timeout 60 $shell "$start" "$@" >"$scratch/out" 2>"$scratch/err"
    status=$?
    out=$(cat "$scratch/out")
    err=$(cat "$scratch/err")
}

sets() { # option, value, variable, what the variable then holds
    settle "$1" "$2" printenv "$3"
    gives "$1 $2 sets $3" "$4"
    settle "$1=$2" printenv "$3"
    gives "$1=$2 sets $3" "$4"
}

refuses() { # option, value, what is accepted
    settle "$1" "$2" echo ran
    fails "$1 '$2' is refused" 125 "settle: $1 '$2': expected $3"
    settle "$1=$2" echo ran
    fails "$1='$2' is refused" 125 "settle: $1 '$2': expected $3"
}

seconds='seconds such as 2.0 or 500ms, from 0 to 86400'
number='a whole number from 0 (all) to 1000000'

options_set_their_variables() {
    sets --max-wait 1.5 SETTLE_MAX_WAIT 1.5
    sets --check-interval 20ms SETTLE_CHECK_INTERVAL 20ms
    sets --fallback-delay 1s SETTLE_FALLBACK_DELAY 1s
    sets --total-wait 10 SETTLE_TOTAL_WAIT 10
    for value in unlocked unwritten closed; do
        sets --until "$value" SETTLE_UNTIL "$value"
    done
    sets --trigger last SETTLE_TRIGGER last
    sets --trigger every SETTLE_TRIGGER every
    sets --trigger use SETTLE_TRIGGER use
    for value in settled pending off; do
        sets --at-use "$value" SETTLE_AT_USE "$value"
    done
    sets --keep-locks on SETTLE_KEEP_LOCKS on
    sets --keep-locks off SETTLE_KEEP_LOCKS off
    sets --at-exit pending SETTLE_AT_EXIT pending
    sets --at-exit off SETTLE_AT_EXIT off
    sets --deepbind keep SETTLE_DEEPBIND keep
    sets --deepbind strip SETTLE_DEEPBIND strip
    sets --stores chroma SETTLE_STORES chroma
    sets --stores sqlite:chroma SETTLE_STORES sqlite:chroma
    sets --dir /srv/data SETTLE_DIRS /srv/data
    sets --rule '/srv/*: max_wait=1' SETTLE_RULES '/srv/*: max_wait=1'
    sets --max-collections 0 SETTLE_MAX_COLLECTIONS 0
    sets --max-files 1000000 SETTLE_MAX_FILES 1000000
    sets --log off SETTLE_LOG off
    sets --log warn SETTLE_LOG warn
    sets --log info SETTLE_LOG info
    sets --log debug SETTLE_LOG debug
    sets --log-file /tmp/settle.%p.log SETTLE_LOG_FILE /tmp/settle.%p.log
    sets --record /tmp/settle.%p.jsonl SETTLE_RECORD /tmp/settle.%p.jsonl
    settle --disable printenv SETTLE_DISABLE
    gives '--disable sets SETTLE_DISABLE' 1
    settle --summary printenv SETTLE_SUMMARY
    gives '--summary sets SETTLE_SUMMARY' on
    settle --no-children printenv SETTLE_CHILDREN
    gives '--no-children sets SETTLE_CHILDREN' off
    SETTLE_LOG=info LD_PRELOAD=$other
    export SETTLE_LOG LD_PRELOAD
    settle --no-children --log warn sh -c 'env | grep ^SETTLE_BEFORE | sort'
    unset SETTLE_LOG LD_PRELOAD
    gives '--no-children leaves what there was for the library to restore' "SETTLE_BEFORE=yes
SETTLE_BEFORE_LD_PRELOAD=$other
SETTLE_BEFORE_SETTLE_LIBRARY=$library
SETTLE_BEFORE_SETTLE_LOG=info"

    settle --max-wait 1 --log=info --max-wait 2 printenv SETTLE_MAX_WAIT SETTLE_LOG
    gives 'options combine, and the last of two holds' '2
info'
    export SETTLE_MAX_WAIT=7 SETTLE_LOG=info
    settle --max-wait 3 printenv SETTLE_MAX_WAIT SETTLE_LOG
    gives 'an option beats the variable, and a variable without its option holds' '3
info'
    unset SETTLE_MAX_WAIT SETTLE_LOG
    settle sh -c "env | grep -e '^SETTLE_' -e '^LD_PRELOAD'"
    gives 'without options only LD_PRELOAD is set' "$(printf 'SETTLE_LIBRARY=%s\nLD_PRELOAD=%s' "$library" "$library")"
}

durations_are_checked() {
    for value in 0 0.0 .5 1. 2s 0.25s 500ms 0.5ms 007 86400 86400.000 86400s 86400000ms 86400000.0ms; do
        settle --max-wait "$value" printenv SETTLE_MAX_WAIT
        gives "a duration may be $value" "$value"
    done
    for value in banana '' . s ms -1 +1 1m 1h 1sm 1mss '1 s' ' 1' 1e3 0x10 1,5 1.2.3 inf nan \
        86401 86400.1 86400.001s 86400000.1ms 86400001ms 99999999999999999999; do
        refuses --max-wait "$value" "$seconds"
    done
    refuses --check-interval fast "$seconds"
    refuses --fallback-delay 86401 "$seconds"
    refuses --total-wait none "$seconds"
}

values_are_checked() {
    for value in open UNLOCKED ''; do
        refuses --until "$value" 'one of: unlocked unwritten closed'
    done
    for value in first '' 'last every' las; do
        refuses --trigger "$value" 'one of: last every use'
    done
    refuses --at-use on 'one of: settled pending off'
    refuses --keep-locks yes 'one of: on off'
    refuses --at-exit on 'one of: pending off'
    refuses --deepbind yes 'one of: keep strip'
    refuses --log loud 'one of: off warn info debug'
    refuses --log '' 'one of: off warn info debug'
    for value in '' : chroma: :chroma chroma::sqlite chroma,sqlite mysql chroma:mysql '*'; do
        refuses --stores "$value" 'a colon-separated list of: chroma sqlite duckdb leveldb lmdb hdf5 kuzu qdrant h2 all'
    done
    for value in '' -1 1.5 many 1000001 99999999999999999999; do
        refuses --max-collections "$value" "$number"
        refuses --max-files "$value" "$number"
    done
    refuses --dir '' 'a directory'
    refuses --log-file '' 'a file name'
    refuses --record '' 'a file name'
}

command_lines_are_checked() {
    for option in --max --stores-x -x -hh - ---; do
        settle "$option" x echo ran
        fails "$option is an unknown option" 125 "settle: unknown option '$option': 'settle --help' lists the options"
    done
    settle --rules=x echo ran
    fails 'an unknown option with a value is named without it' 125 "settle: unknown option '--rules': 'settle --help' lists the options"

    for option in --max-wait --check-interval --fallback-delay --total-wait; do
        settle $option
        fails "$option needs a value" 125 "settle: $option without a value: expected $seconds"
    done
    for option in --until --trigger --at-use --keep-locks --at-exit --deepbind --stores --dir --rule --max-collections --max-files --log --log-file --record; do
        settle $option
        fails_naming "$option needs a value" 125 "settle: $option without a value: expected "
    done
    for option in --disable --summary --no-children --checkpoint --supervise --check --help --version; do
        settle $option=1 echo ran
        fails "$option takes no value" 125 "settle: $option '1': expected no value"
    done

    settle --checkpoint echo ran
    fails '--checkpoint needs --after' 125 'settle: --checkpoint comes when the command has ended: expected --after with it (settle-wait --checkpoint is for stores by name)'

    none="settle: no command: expected 'settle [options] [--] command ...', see 'settle --help'"
    settle
    fails 'a command is needed' 125 "$none"
    settle --
    fails 'a command is needed after --' 125 "$none"
    settle --log info --disable
    fails 'a command is needed after options' 125 "$none"
}

after_takes_paths_up_to_the_dashes() {
    expected='expected the path of a store, a directory or a file'
    : >"$scratch/a.db"
    : >"$scratch/it's \$b \"c\".db"
    by_name='settle: not seen by the library, so waited for by name:'
    settle --after "$scratch/a.db" "$scratch/it's \$b \"c\".db" -- echo ran
    holds 'paths behind --after are waited for' [ "$status:$out:$err" = "0:ran:$by_name $scratch/a.db, $scratch/it's \$b \"c\".db" ]
    settle --after="$scratch/a.db" --log info --after="$scratch/it's \$b \"c\".db" echo ran
    holds '--after=PATH is one each' [ "$status:$out:$err" = "0:ran:$by_name $scratch/a.db, $scratch/it's \$b \"c\".db" ]
    settle --after "$scratch/a.db" --log off -- echo ran
    gives 'an option ends the paths, and --log off says nothing of them' ran
    settle --after a.db -- echo ran
    holds 'a path may be relative' [ "$status:$out:$err" = "0:ran:$by_name $scratch/a.db" ]

    settle --after echo a b
    gives 'without -- the first word is the command' 'a b'
    # shellcheck disable=SC2016
    settle --after sh -c 'echo "$@"' sh -- x
    gives 'a -- behind options of the command is its own' '-- x'
    settle --after -- echo a -- b
    gives 'a -- at once means no path' 'a -- b'
    settle --after echo a -- b
    fails 'a command in place of a path is told' 125 "settle: --after 'echo': expected the path of a store before '--', and this is a command: 'settle --after -- echo ...' runs it"
    settle --after "$scratch/a.db" --
    fails 'a command is needed after paths' 125 "settle: no command: expected 'settle [options] [--] command ...', see 'settle --help'"
    settle --after= echo ran
    fails 'an empty path is refused' 125 "settle: --after '': $expected"
    settle --after "$scratch/a.db" '' -- echo ran
    fails 'an empty path among others is refused' 125 "settle: --after '': $expected"
    settle --after /dev/null -- echo ran
    fails 'a device is no store' 125 "settle: --after '/dev/null': $expected"
    settle --after "$scratch/a.db/x" -- echo ran
    fails 'a path that leads nowhere is told' 125 "settle: --after '$scratch/a.db/x': Not a directory"
    mkdir "$scratch/vectors"
    settle --after "$scratch/vectors" echo ran
    fails 'a path without -- is told' 126 "settle: '$scratch/vectors': a directory, expected a command; to wait for what is there, put a '--' before the command: settle --after $scratch/vectors -- command ..."
    rm -r "$scratch/vectors" "$scratch/a.db" "$scratch/it's \$b \"c\".db"
}

the_command_is_run_as_given() {
    settle -- echo hello
    gives '-- ends the options' hello
    settle --log info -- echo --log loud --help
    gives "what follows the command is the command's" '--log loud --help'
    settle echo -- --version
    gives 'a -- behind the command is its own' '-- --version'
    # shellcheck disable=SC2016
    settle printf '[%s]' 'a b' '' '*' '$HOME' 'line
break' "it's" '\n'
    # shellcheck disable=SC2016
    gives 'arguments arrive intact' '[a b][][*][$HOME][line
break][it'\''s][\n]'
    echo input >"$scratch/in"
    settle cat <"$scratch/in"
    gives 'standard input is the command'\''s' input
    # shellcheck disable=SC2016
    settle sh -c 'echo "$0"' 
    gives 'the command is called by the name that was given' sh
    # The pid of the launcher is that of the shell which becomes it.
    # shellcheck disable=SC2016,SC2086
    out=$(SETTLE_LIBRARY=$library sh -c 'echo $$; exec "$@"' - $shell "$launcher" sh -c 'echo $$' 2>&1)
    status=$? err=''
    holds "the command takes the launcher's process over" [ "$(echo "$out" | sort -u | wc -l)" -eq 1 ]

    # The names a script is likely to use itself.
    env -i PATH="$PATH" PWD="$PWD" LC_ALL=C version=v option=o value=v library=l others=o number=n \
        entry=e home=h path=p limit=l 'space=a b' "SETTLE_LIBRARY=$library" sort=s env | sort >"$scratch/before"
    # shellcheck disable=SC2086
    env -i PATH="$PATH" PWD="$PWD" LC_ALL=C version=v option=o value=v library=l others=o number=n \
        entry=e home=h path=p limit=l 'space=a b' "SETTLE_LIBRARY=$library" sort=s \
        $shell "$launcher" env 2>"$scratch/err" | grep -v -e '^LD_PRELOAD=' -e '^_=' -e '^SHLVL=' -e '^OLDPWD' |
        sort >"$scratch/after"
    out=$(diff "$scratch/before" "$scratch/after")
    status=$? err=$(cat "$scratch/err")
    gives 'the environment is otherwise unchanged' ''
}

exit_codes_are_those_of_env() {
    for code in 0 1 2 125 255; do
        settle sh -c "exit $code"
        holds "the command's exit code $code is kept" [ "$status" = "$code" ]
    done
    # shellcheck disable=SC2016
    settle sh -c 'kill -TERM $$'
    holds "the command's death by a signal is kept" [ "$status" = 143 ]

    settle no-such-command
    fails 'a command that is not found is 127' 127 "settle: 'no-such-command': no such command"
    settle --after no-such-command
    fails 'a command that is not found is 127 under --after, too' 127 "settle: 'no-such-command': no such command"
    settle "$scratch/absent/command" x
    fails 'a path that does not exist is 127' 127 "settle: '$scratch/absent/command': no such command"
    settle ''
    fails 'an empty command is 127' 127 "settle: '': no such command"
    settle -- --no-such
    fails 'a command like an option is 127' 127 "settle: '--no-such': no such command"
    echo data >"$scratch/plain"
    settle "$scratch/plain"
    fails 'a file that is not executable is 126' 126 "settle: '$scratch/plain': is not executable"
    settle "$scratch"
    fails 'a directory is 126' 126 "settle: '$scratch': a directory, expected a command"
    real_path=$PATH
    PATH=$scratch:$PATH
    settle plain
    PATH=$real_path
    fails 'a file in PATH that is not executable is 126' 126 "settle: '$scratch/plain': is not executable"
    printf '#!/bin/sh\necho ran\n' >"$scratch/here"
    chmod +x "$scratch/here"
    PATH=:$PATH
    settle here
    PATH=$real_path
    gives 'an empty part of PATH is the current directory' ran
    settle cd /
    fails 'a builtin of the shell is no command' 127 "settle: 'cd': no such command"
    settle print_help
    fails 'a function of the launcher is no command' 127 "settle: 'print_help': no such command"
}

who_asks_what_was_done_hears_of_a_program_without_it() {
    static=$(command -v busybox) # busybox-static
    for option in --summary '--log=info' '--log=debug' '--record=record.jsonl'; do
        settle "$option" "$static" echo ran
        holds "$option with a static program runs it" [ "$status:$out" = 0:ran ]
        holds "$option with a static program says so" [ "${err#*"$static: runs as if settle were absent"}" != "$err" ]
    done
    for option in --log=warn --disable; do
        settle --summary "$option" "$static" echo ran
        [ "$option" = --disable ] || settle "$option" "$static" echo ran
        gives "$option says nothing of it" ran
    done
    # As a library may that must come first: it is the command's, and no program of ours needs it.
    echo '#include <errno.h>
        #include <string.h>
        #include <unistd.h>
        __attribute__((constructor)) static void begin(void) {
            if (strncmp(program_invocation_short_name, "settle-", 7) == 0) _exit(9);
        }' | ${CC:-cc} -D_GNU_SOURCE -shared -fPIC -x c -o "$scratch/picky.so" -
    for option in --summary '--record=record.jsonl'; do
        export LD_PRELOAD="$scratch/picky.so"
        settle "$option" echo ran
        unset LD_PRELOAD
        gives "$option works beside a library that no program of ours bears" ran
    done
}

preload_is_kept() {
    settle printenv LD_PRELOAD
    gives 'LD_PRELOAD is the library' "$library"
    settle /bin/cat /proc/self/maps # not the one of a busybox that is linked statically
    says 'the library is in the command' "$library"
    while IFS='|' read -r before after sentence; do
        export LD_PRELOAD="$before"
        settle printenv LD_PRELOAD
        unset LD_PRELOAD
        gives "$sentence" "$after"
    done <<END
$other|$library:$other|an existing LD_PRELOAD stays, behind the library
$other:$third|$library:$other:$third|several stay in their order
$other $third|$library:$other:$third|those separated by spaces stay too
$scratch/libgl[o]b.so|$library:$scratch/libgl[o]b.so|a name with brackets is no pattern
|$library|an empty LD_PRELOAD adds nothing
$library|$library|the library is not there twice
$other:$library:$third|$library:$other:$third|the library moves to the front
END
    # shellcheck disable=SC2086
    settle $shell "$launcher" --log info printenv LD_PRELOAD SETTLE_LOG
    gives 'a launcher under the launcher changes nothing' "$library
info"
}

the_library_is_found() {
    mkdir -p tree/scripts tree/build tree/lib/settle prefix/bin prefix/lib/settle links 'with space/scripts' 'with space/build'
    cp "$root/build/settle-check" tree/lib/settle/
    cp "$launcher" tree/scripts/settle
    cp "$launcher" prefix/bin/settle
    cp "$launcher" 'with space/scripts/settle'
    cp "$library" tree/build/
    cp "$library" prefix/lib/settle/
    cp "$library" 'with space/build/'
    ln -sf ../tree/scripts/settle links/one
    ln -sf one links/two
    ln -sf "$library" links/lib.so
    export SETTLE_LIBRARY=

    start=$scratch/tree/scripts/settle
    settle printenv LD_PRELOAD
    gives 'in a source tree the library is in build' "$scratch/tree/build/libsettle.so"
    start=$scratch/prefix/bin/settle
    settle printenv LD_PRELOAD
    gives 'installed the library is in lib/settle' "$scratch/prefix/lib/settle/libsettle.so"
    start=links/two
    settle printenv LD_PRELOAD
    gives 'links to the launcher are followed' "$scratch/tree/build/libsettle.so"
    mv tree/build tree/no-build
    start=$scratch/tree/scripts/settle
    settle echo ran
    fails 'no library is an error that says where it looked' 125 \
        "settle: no libsettle.so in '$scratch/tree/build' or '$scratch/tree/lib/settle': run make, or set SETTLE_LIBRARY to its path"
    settle --version
    gives '--version needs no library' "settle $version"
    mv tree/no-build tree/build
    cannot="LD_PRELOAD cannot carry a path with a space or a colon; set SETTLE_LIBRARY to a link or a copy without"
    start="$scratch/with space/scripts/settle"
    settle echo ran
    fails 'a space in the path of the library is an error' 125 \
        "settle: library '$scratch/with space/build/libsettle.so': $cannot"

    start=$launcher
    SETTLE_LIBRARY=$third
    settle printenv LD_PRELOAD
    gives 'SETTLE_LIBRARY names another library' "$third"
    SETTLE_LIBRARY=links/lib.so
    settle printenv LD_PRELOAD SETTLE_LIBRARY
    gives 'a relative SETTLE_LIBRARY becomes absolute, and links stay' "$scratch/links/lib.so
$scratch/links/lib.so"
    SETTLE_LIBRARY=/no:where/lib.so
    settle echo ran
    fails 'a colon in the path of the library is an error' 125 "settle: library '/no:where/lib.so': $cannot"
    for value in /nowhere/lib.so /tmp; do
        SETTLE_LIBRARY=$value
        settle echo ran
        fails "a library that is no file ($value) is an error" 125 \
            "settle: library '$value': expected a file that can be read; SETTLE_LIBRARY may name another"
    done
    unset SETTLE_LIBRARY
}

directories_add_up() {
    settle --dir /a --dir=/b printenv SETTLE_DIRS
    gives '--dir may be given several times' /a:/b
    export SETTLE_DIRS=/x:/y
    settle --dir /a printenv SETTLE_DIRS
    unset SETTLE_DIRS
    gives '--dir adds to SETTLE_DIRS' /x:/y:/a
    settle --dir data --dir ./more printenv SETTLE_DIRS
    gives 'a relative --dir becomes absolute' "$scratch/data:$scratch/more"
    settle --dir . --dir links/../later --dir absent/later printenv SETTLE_DIRS
    gives 'a relative --dir loses its dots, and need not exist' "$scratch:$scratch/later:$scratch/absent/later"
    settle --dir '/srv/*' --dir 'data-*' --dir '*/x' printenv SETTLE_DIRS
    gives 'a glob stays one' "/srv/*:$scratch/data-*:$scratch/*/x"
    settle --dir '/a b' printenv SETTLE_DIRS
    gives 'a directory may hold spaces' '/a b'
    colon='a path without a colon, which separates directories in SETTLE_DIRS'
    settle --dir /a:/b echo ran
    fails 'a colon in a directory is refused' 125 "settle: --dir '/a:/b': expected $colon; it is '/a:/b'"
    mkdir -p "$scratch/col:on"
    cd "$scratch/col:on" || exit 1
    settle --dir data echo ran
    cd "$scratch" || exit 1
    fails 'a colon in the current directory is refused where it matters' 125 \
        "settle: --dir 'data': expected $colon; it is '$scratch/col:on/data'"
    settle --log-file settle.log printenv SETTLE_LOG_FILE
    gives 'a relative --log-file becomes absolute' "$scratch/settle.log"
}

refuses_rule() { # rule, what is said of it
    settle --rule "$1" echo ran
    fails "--rule '$1' is refused" 125 "settle: --rule '$1': $2"
}

rules_add_up() {
    settle --rule '/a: max_wait=1' --rule='/b/*: name=b trigger=every' printenv SETTLE_RULES
    gives '--rule may be given several times' '/a: max_wait=1; /b/*: name=b trigger=every'
    export SETTLE_RULES='/x: name=x'
    settle --rule '/a:' printenv SETTLE_RULES
    gives '--rule goes before SETTLE_RULES, since the first that matches wins' '/a:; /x: name=x'
    settle printenv SETTLE_RULES
    gives 'without --rule SETTLE_RULES stays' '/x: name=x'
    unset SETTLE_RULES
    all='/a:b/[0-9]*: max_wait=2.5s check_interval=10ms until=unlocked trigger=last name=*'
    settle --rule "$all" printenv SETTLE_RULES
    gives 'a rule may have all options' "$all"
    settle --rule "$all" sh -c "env | grep '^SETTLE_[MCUT]'"
    fails 'what a rule says is not set for all' 1 ''
    settle --rule '/a: max_wait=1
        name=a' printenv SETTLE_RULES
    gives 'a rule may have several lines' '/a: max_wait=1
        name=a'

    shape="expected an absolute directory or glob, a colon and options, such as '/tmp/delta-*: max_wait=1.0'"
    for value in '' /a 'a: max_wait=1' './a: name=x' ': name=x'; do
        refuses_rule "$value" "$shape"
    done
    refuses_rule '/a: name=x; /b: name=y' 'expected one rule, without a semicolon'
    refuses_rule '/a: max_wait=soon' "max_wait 'soon': expected $seconds"
    refuses_rule '/a: name=x check_interval=' "check_interval '': expected $seconds"
    refuses_rule '/a: until=never' "until 'never': expected one of: unlocked unwritten closed"
    refuses_rule '/a: trigger=all name=x' "trigger 'all': expected one of: last every use"
    refuses_rule '/a: name=' "name '': expected a name of 1 to 63 bytes without blanks"
    for value in max_wait maxwait=1 '*'; do
        refuses_rule "/a: $value" "'$value': expected max_wait=S, check_interval=S, until=LEVEL, trigger=WHEN or name=WORD"
    done
}

help_is_complete() {
    settle --version
    gives '--version prints name and version' "settle $version"
    settle --log info --help
    holds '--help succeeds and goes to standard output' [ "$status$err" = 0 ]
    help=$out
    settle -h
    gives '-h is --help' "$help"
    holds '--help fits into 80 columns' [ "$(printf '%s\n' "$out" | awk 'length > 80' | wc -l)" -eq 0 ]
    while IFS= read -r text; do
        says "--help says '$text'" "$text"
    done <<'END'
Usage: settle [options] [--] command
--max-wait S          SETTLE_MAX_WAIT=2.0
--check-interval S    SETTLE_CHECK_INTERVAL=0.05
--fallback-delay S    SETTLE_FALLBACK_DELAY=0.1
--total-wait S        SETTLE_TOTAL_WAIT
--until LEVEL         SETTLE_UNTIL=unlocked
--trigger WHEN        SETTLE_TRIGGER=last
--at-use WHAT         SETTLE_AT_USE=settled
--keep-locks WHETHER  SETTLE_KEEP_LOCKS=on
--at-exit WHAT        SETTLE_AT_EXIT=pending
--deepbind HOW        SETTLE_DEEPBIND=keep
--stores LIST         SETTLE_STORES=chroma
--dir DIR             SETTLE_DIRS
--rule RULE           SETTLE_RULES
--max-collections N   SETTLE_MAX_COLLECTIONS=5
--max-files N         SETTLE_MAX_FILES=3
--log LEVEL           SETTLE_LOG=warn
--log-file FILE       SETTLE_LOG_FILE
--record FILE         SETTLE_RECORD
--after [PATH ...]
--checkpoint
--supervise
--check
--disable             SETTLE_DISABLE
--help, --version
SETTLE_LIBRARY
Examples:
Exit codes:
  125
  126
  127
statically linked
set-uid
Go
END
}

# The pages are for people, and the table of settings is for the programs: neither may have what the
# other lacks.
paragraph_of() { # variable, page
    awk -v heading=".It Ev $1" '$0 == heading { on = 1; next } /^\.(It|El)/ { on = 0 } on' "$2"
}

is_told_with_default() { # option, variable, default: in the manual of the library and in the README
    told=$(paragraph_of "$2" "$root/scripts/man/libsettle.7")
    row=$(grep "^|.*\`$2\`" "$root/README.md")
    holds "libsettle.7 has $2" [ -n "$told" ]
    holds "README.md has a row for $2" [ -n "$row" ]
    case $3 in
        *[!A-Za-z0-9.]* | none | '') return ;; # none that is a value
    esac
    case $told in *[!A-Za-z0-9.]"$3"[!A-Za-z0-9]*) same=true ;; *) same=false ;; esac
    result "libsettle.7 has the default of $2, $3" $same
    case $row in *"\`$3\`"*) same=true ;; *) same=false ;; esac
    result "README.md has the default of $2, $3" $same
}

the_pages_have_every_setting_and_no_other() {
    shell=pages status=0 out='' err=''
    "$root/scripts/settle" --settings >settings
    holds 'settle --settings lists them' [ "$(wc -l <settings)" -gt 20 ]
    tr '\t' '|' <settings >rows
    while IFS='|' read -r option _ variable default _; do
        holds "settle.1 has $option" grep -qx "\.It Fl -${option#--}\( .*\)\{0,1\}" "$root/scripts/man/settle.1"
        [ -z "$variable" ] || is_told_with_default "$option" "$variable" "$default"
    done <rows
    {
        cut -d '|' -f 3 rows
        # Those between our own programs, and of C.
        printf '%s\n' SETTLE_LIBRARY SETTLE_AFTER SETTLE_USED SETTLE_PRELOAD SETTLE_VERSION SETTLE_BEFORE
    } >known
    stores=$(sed -n 's/^--stores|.*|a colon-separated list of: \([^|]*\)|.*/\1/p' rows)
    holds 'settle --settings lists the kinds of store' [ "${stores##* }" = all ]
    for store in $stores; do
        holds "README.md has the store $store" grep -q "^| .SETTLE_STORES. |.*\`$store\`" "$root/README.md"
        holds "settle.1 and libsettle.7 have the store $store" [ "$(grep -lx "\.Ql $store\( ,\)\{0,1\}" \
            "$root/scripts/man/settle.1" "$root/scripts/man/libsettle.7" | wc -l)" -eq 2 ]
    done
    out=$(grep -ohE 'SETTLE_[A-Z_]*[A-Z]' "$root/README.md" "$root"/scripts/man/* | sort -u | grep -vxF -f known)
    holds 'the pages name no setting that there is not' [ -z "$out" ]
    out=$(grep -rlF --exclude='*.txt' --exclude=Cargo.lock "$version" "$root/shim" "$root/scripts" "$root/Makefile" "$root/tests" |
        grep -vF -e "$root/shim/settle.h")
    holds "the version $version stands in shim/settle.h alone" [ -z "$out" ]
}

version=$(sed -n 's|^#define SETTLE_VERSION "\(.*\)"$|\1|p' "$root/shim/settle.h")
run_with_this_shell() {
    options_set_their_variables
    durations_are_checked
    values_are_checked
    command_lines_are_checked
    after_takes_paths_up_to_the_dashes
    the_command_is_run_as_given
    exit_codes_are_those_of_env
    who_asks_what_was_done_hears_of_a_program_without_it
    preload_is_kept
    the_library_is_found
    directories_add_up
    rules_add_up
    help_is_complete
}

with_every_shell run_with_this_shell
the_pages_have_every_setting_and_no_other
all_passed
