# Tests of scripts: sentences and what came of them. For `.`; whoever runs a script under test leaves
# status, out and err, and calls it with $shell, one word or two (busybox sh).
#
# One line a test, and "N passed, N failed" as the last one.
# shellcheck shell=sh
# shellcheck disable=SC2154 # status, out, err

# What is tested finds an environment without settle, and a directory of its own, which all may read.
LC_ALL=C
export LC_ALL
for name in LD_PRELOAD $(env | sed -n 's/^\(SETTLE_[A-Z_]*\)=.*/\1/p'); do
    unset "$name"
done
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
scratch=$(cd "$scratch" && pwd -P)
chmod 755 "$scratch"
cd "$scratch" || exit 1

passed=0
failed=0
result() { # sentence, true or false
    if [ "$2" = true ]; then
        passed=$((passed + 1))
        echo "ok - $shell: $1"
    else
        failed=$((failed + 1))
        echo "not ok - $shell: $1"
        printf '  %s\n' "exit $status" "stdout: $out" "stderr: $err"
    fi
}

skipped() { # why
    echo "SKIPPED: $shell: $1"
    [ -z "${NO_SKIP-}" ] || failed=$((failed + 1))
}

gives() { # sentence, expected stdout: exit 0 and a silent stderr
    if [ "$status" = 0 ] && [ "$out" = "$2" ] && [ -z "$err" ]; then
        result "$1" true
    else
        result "$1 (expected '$2')" false
    fi
}

fails() { # sentence, exit code, the whole stderr
    if [ "$status" = "$2" ] && [ -z "$out" ] && [ "$err" = "$3" ]; then
        result "$1" true
    else
        result "$1 (expected $2, '$3')" false
    fi
}

fails_naming() { # sentence, exit code, what stderr must name: the words are the shell's
    case $status:$out:$err in
        "$2"::*"$3"*) result "$1" true ;;
        *) result "$1 (expected $2, '...$3...')" false ;;
    esac
}

holds() { # sentence, a test that must be true
    sentence=$1
    shift
    if "$@"; then
        result "$sentence" true
    else
        result "$sentence" false
    fi
}

says() { # sentence, a text that stdout must hold
    case $out in
        *"$2"*) result "$1" true ;;
        *) result "$1" false ;;
    esac
}

# The tests run once for each shell that a script is written for.
with_every_shell() { # function
    done_with=
    for shell in sh dash 'busybox sh' bash; do
        real=$(readlink -f "$(command -v "${shell%% *}")")
        case $done_with:$real in
            *:)
                skipped 'there is no such shell'
                continue
                ;;
            *":$real:"*) continue ;; # the same one under another name
        esac
        done_with=$done_with:$real:
        "$@"
    done
}

all_passed() {
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}
