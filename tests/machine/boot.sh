# Machines of their own, with a kernel of Debian's, interpreted by qemu; read by scripts that set $top, $build, $me, who
# complains, and $here, where what they make goes, and that have read tests/roots.sh.
# shellcheck shell=sh disable=SC2154

# Sets what there is for an architecture: the machine and its console. The processor is interpreted, since a KVM that is
# there need not work; so a test takes some times as long as here.
know_machine() { # architecture
    case $1 in
        amd64) console=ttyS0 machine='qemu-system-x86_64 -M q35' ;;
        arm64) console=ttyAMA0 machine='qemu-system-aarch64 -M virt -cpu cortex-a57' ;;
        *) fail "'$1': expected amd64 or arm64" ;;
    esac
    command -v "${machine%% *}" >/dev/null || skip "there is no ${machine%% *}"
}

# Sets $kernel, a root with a kernel, its modules, and a few commands.
make_kernel() { # architecture, suite
    make_root "$2-$1" "$2" "$1" "busybox-static,util-linux,strace,linux-image-$1"
    kernel=$roots/$2-$1
}

# A root directory, packed as the kernel unpacks it into its memory.
pack_memory() { # directory, archive
    (cd "$1" && find . | busybox cpio -o -H newc 2>/dev/null) | zstd -q -3 -f -o "$2" || fail "cannot pack $1"
}

# Runs /init of the memory, and shows what it says, which goes to a file, too. That it came to its end, it says itself.
boot() { # memory, log, seconds, words for the kernel, more arguments of qemu...
    memory=$1 log=$2 seconds=$3 words="console=$console quiet panic=-1 rdinit=/init $4"
    shift 4
    # shellcheck disable=SC2086 # words
    timeout "$seconds" $machine "$@" -nographic -no-reboot -net none -kernel "$kernel"/boot/vmlinuz-* -initrd "$memory" \
        -append "$words" </dev/null | sed -u 's,\r,,; s,^.*\x1b\[2J,,; /SeaBIOS/d' | tee "$log"
    grep -q '^machine: ended' "$log" || fail "the machine has not come to its end within $seconds s; its log is $log"
}
