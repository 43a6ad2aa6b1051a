#!/bin/sh
# What scripts/settle-inject promises, shown by running it with every shell it is written for, on bundles
# and roots that are made here. BUILD: the build directory.
# shellcheck disable=SC2154 # $shell is of results.sh
set -u
tests=$(CDPATH='' cd "$(dirname -- "$0")" && pwd -P)
# shellcheck disable=SC1091 # not read
. "$tests/results.sh"
top=${tests%/*/*}
build=$top/${BUILD:-build}

place=/opt/settle
bundle=$scratch/bundle
config=$bundle/config.json

# As installed, so that all files are known by where they are.
mkdir -p home/bin home/lib/settle
cp "$top/scripts/settle-inject" "$top/scripts/settle-entrypoint" "$build/settle-wait" home/bin/
cp "$build/libsettle.so" "$build/settle-run" "$build/settle-check" home/lib/settle/

inject() {
    # shellcheck disable=SC2086
    timeout 60 $shell home/bin/settle-inject "$@" >"$scratch/out" 2>"$scratch/err"
    status=$?
    out=$(cat "$scratch/out")
    err=$(cat "$scratch/err")
}

# With what JSON can have that is easily lost: a number that no double holds, and strings that look like
# numbers and quotes. No new line at the end, as runc's.
write_config() {
    printf '%s' '{
	"ociVersion": "1.0.2-dev",
	"process": {
		"user": { "uid": 0, "gid": 0 },
		"args": ["/usr/bin/chroma", "run", "a \"b\" 12345678901234567890, c", "\\", "1234567890123456789"],
		"env": ["PATH=/usr/bin:/bin", "SETTLE_LOG=debug", "TERM=xterm"],
		"cwd": "/",
		"rlimits": [{ "type": "RLIMIT_NOFILE", "hard": 18446744073709551615, "soft": 1024 }]
	},
	"root": { "path": "rootfs", "readonly": true },
	"mounts": [{ "destination": "/proc", "type": "proc", "source": "proc" }],
	"linux": { "resources": { "memory": { "limit": -9223372036854775807 } } }
}'
}

new_bundle() {
    rm -rf "$bundle" was
    mkdir -p "$bundle/rootfs/bin" "$bundle/rootfs/lib64" "$bundle/rootfs/lib"
    : >"$bundle/rootfs/bin/sh"
    : >"$bundle/rootfs/lib64/ld-linux-x86-64.so.2"
    : >"$bundle/rootfs/lib/ld-linux-aarch64.so.1"
    write_config >"$config"
    chmod 640 "$config"
    touch -d 2020-02-02 "$config"
    cp -p "$config" was
}

holds_in() { # sentence, a filter of jq that must be true of config.json
    out=$(jq -c . "$config" 2>&1)
    holds "$1" jq -e "$2" "$config" >/dev/null 2>&1
}

is_as_it_was() {
    cmp -s was "$config" && [ "$(stat -c '%a %Y' was "$config" | uniq | wc -l)" -eq 1 ] &&
        [ "$(ls "$bundle")" = 'config.json
rootfs' ]
}

state() { # of each file: inode, time, content
    find "$1" -exec stat -c '%n %i %a %Y' {} + | sort
    find "$1" -type f -exec cksum {} + | sort
}

changes_nothing() { # sentence, arguments
    sentence=$1
    shift
    before=$(state "$bundle")
    inject "$@"
    after=$(state "$bundle")
    holds "$sentence" [ "$before" = "$after" ]
}

a_bundle_gets_the_library() {
    new_bundle
    inject "$bundle"
    gives 'a bundle gets the library' \
        "settle-inject: '$config': settle is added; what was there is in '$config.before-settle'"
    holds_in 'its program has it in LD_PRELOAD' ".process.env | index(\"LD_PRELOAD=$place/lib/settle/libsettle.so\")"
    holds_in 'it is mounted read-only' ".mounts | length == 2 and .[0].destination == \"/proc\" and
        .[1] == {destination: \"$place/lib/settle/libsettle.so\", type: \"bind\",
            source: \"$scratch/home/lib/settle/libsettle.so\", options: [\"bind\", \"ro\", \"nosuid\", \"nodev\"]}"
    holds 'long numbers stay' [ "$(grep -c -e '"hard": 18446744073709551615,$' -e '"limit": -9223372036854775807$' "$config")" = 2 ]
    holds 'all else stays as it was' [ "$(jq -c 'del(.mounts[1]) | .process.env |= map(select(startswith("LD_") | not))' "$config")" = "$(jq -c . was)" ]
    holds 'tabs stay tabs' grep -q "^$(printf '\t\t')" "$config"
    holds 'the mode of config.json stays' [ "$(stat -c %a "$config")" = 640 ]
    changes_nothing 'a second run changes nothing' "$bundle"
    gives 'and says so' "settle-inject: '$config': settle is there already, nothing is changed"
    inject --undo "$bundle"
    gives '--undo' "settle-inject: '$config': as it was before settle"
    holds '--undo restores it byte for byte, and leaves nothing' is_as_it_was
    changes_nothing '--undo again changes nothing' --undo "$bundle"
    gives '--undo again says so' "settle-inject: '$config': nothing to undo"
    changes_nothing '--print changes nothing' --print --entrypoint "$bundle"
    printf '%s\n' "$out" >printed
    inject --entrypoint "$bundle"
    holds '--print prints what would be written' cmp -s printed "$config"
    cd "$bundle" || exit 1
    # shellcheck disable=SC2086
    $shell ../home/bin/settle-inject --undo . >"$scratch/out" 2>&1
    cd "$scratch" || exit 1
    holds 'a bundle may be named by a dot' is_as_it_was
}

settings_and_entrypoint() {
    new_bundle
    inject --entrypoint --env SETTLE_AFTER=1 --env=SETTLE_LOG=info --env 'SETTLE_RULES=/a: name=b "c"' "$bundle"
    holds '--entrypoint succeeds' [ "$status$err" = 0 ]
    holds_in '--entrypoint starts the program' ".process.args[:3] == [\"$place/bin/settle-entrypoint\", \"/usr/bin/chroma\", \"run\"]"
    holds_in 'which sets LD_PRELOAD itself' '.process.env | map(startswith("LD_PRELOAD")) | any | not'
    holds_in '--env sets variables, in place of those that are there' '.process.env ==
        ["PATH=/usr/bin:/bin", "SETTLE_LOG=info", "TERM=xterm", "SETTLE_AFTER=1", "SETTLE_RULES=/a: name=b \"c\""]'
    holds_in 'all that it needs is mounted' ".mounts[1:] | map(.destination) ==
        [\"$place/lib/settle/libsettle.so\", \"$place/bin/settle-entrypoint\", \"$place/bin/settle-wait\", \"$place/lib/settle/settle-run\"]"
    for source in $(jq -r '.mounts[1:][].source' "$config"); do
        holds "$source is there" [ -f "$source" ]
    done
    changes_nothing 'a second run changes nothing' --entrypoint --env SETTLE_AFTER=1 --env=SETTLE_LOG=info \
        --env 'SETTLE_RULES=/a: name=b "c"' "$bundle"
    inject --env SETTLE_LOG=off "$bundle"
    holds_in 'other options replace those of the first run' "(.process.args[0] == \"/usr/bin/chroma\") and (.mounts | length == 2) and
        .process.env == [\"PATH=/usr/bin:/bin\", \"SETTLE_LOG=off\", \"TERM=xterm\", \"LD_PRELOAD=$place/lib/settle/libsettle.so\"]"
    inject --undo "$bundle"
    holds '--undo then restores what was there at first' is_as_it_was

    while IFS='|' read -r was_set is_set sentence; do
        new_bundle
        jq ".process.env += [\"LD_PRELOAD=$was_set\"] | .process.env |= sort" was >"$config"
        inject "$bundle"
        holds_in "$sentence" ".process.env | map(select(startswith(\"LD_PRELOAD\"))) == [\"LD_PRELOAD=$is_set\"]"
    done <<END
/a.so|$place/lib/settle/libsettle.so:/a.so|an LD_PRELOAD that is there stays, behind the library
/a.so /b.so|$place/lib/settle/libsettle.so:/a.so:/b.so|several stay in their order
|$place/lib/settle/libsettle.so|an empty one adds nothing
/a.so:$place/lib/settle/libsettle.so|$place/lib/settle/libsettle.so:/a.so|the library is not there twice
END
    new_bundle
    inject --entrypoint "$bundle"
    rm "$config".*
    before=$(jq -c . "$config")
    inject --entrypoint "$bundle"
    holds 'a bundle that was copied with settle in it gets it no second time' [ "$before" = "$(jq -c . "$config")" ]

    new_bundle
    jq -c . was >"$config"
    inject "$bundle"
    holds 'one line stays one line' [ "$(wc -l <"$config")" -eq 1 ]
    new_bundle
    jq 'del(.mounts, .process.env)' was >"$config"
    inject "$bundle"
    holds_in 'mounts and env may be missing' '(.mounts | length == 1) and (.process.env | length == 1)'
    new_bundle
    mv "$config" "$scratch/elsewhere.json"
    ln -s ../elsewhere.json "$config"
    inject "$bundle"
    holds 'a link to config.json is followed' [ -L "$config" ] && grep -q libsettle elsewhere.json
    inject --undo "$bundle"
    holds 'and stays with --undo' [ -L "$config" ] && cmp -s was elsewhere.json
}

somebody_elses_change_is_not_lost() {
    new_bundle
    inject "$bundle"
    jq '.hostname = "new"' "$config" >edited
    cp edited "$config"
    said="changed by somebody else since settle was added, and"
    rest="would lose that; 'diff $config.with-settle $config' shows the change; make it in '$config.before-settle' too and move that to '$config'"
    changes_nothing '--undo loses no change of somebody else' --undo "$bundle"
    fails 'but says what to do' 1 "settle-inject: '$config': $said --undo $rest"
    changes_nothing 'nor does another run' --entrypoint "$bundle"
    fails 'which says it, too' 1 "settle-inject: '$config': $said another run $rest"
    cp was "$config"
    inject --undo "$bundle"
    holds 'where it was restored by hand, --undo cleans up' is_as_it_was
    inject "$bundle"
    cp was "$config"
    inject --entrypoint "$bundle"
    holds_in 'and another run begins anew' ".process.args[0] == \"$place/bin/settle-entrypoint\""
    inject --undo "$bundle"
    holds 'with what was there' cmp -s was "$config"
}

a_root_gets_files() {
    rm -rf root
    mkdir -p root/bin root/lib64 root/lib root/etc
    : >root/bin/sh
    : >root/lib64/ld-linux-x86-64.so.2
    : >root/lib/ld-linux-aarch64.so.1
    find root | sort >was-there
    inject root
    gives 'a root gets the library' "settle-inject: '$scratch/root$place': settle is added
Set in the program's environment: LD_PRELOAD=$place/lib/settle/libsettle.so"
    holds 'the same one' cmp -s "$build/libsettle.so" "root$place/lib/settle/libsettle.so"
    before=$(state root)
    inject root
    holds 'a second run changes nothing' [ "$before" = "$(state root)" ]
    inject --entrypoint root
    says 'with --entrypoint it says how to start the program' "Start the program by: $place/bin/settle-entrypoint program"
    holds 'with --entrypoint that is copied, too' [ -x "root$place/bin/settle-entrypoint" ]
    holds 'and the programs for SETTLE_AFTER' [ -x "root$place/bin/settle-wait" ] && [ -x "root$place/lib/settle/settle-run" ]
    inject root
    holds 'other options replace those of the first run' [ ! -e "root$place/bin" ]
    inject --undo root
    out=$(find root | sort | diff was-there -)
    holds '--undo leaves nothing' [ "$status$out" = 0 ]
    inject --undo root
    gives '--undo again says so' "settle-inject: '$scratch/root': nothing to undo"

    mkdir -p root/opt
    inject root
    inject --undo root
    holds 'an /opt that was there stays' [ -d root/opt ] && [ ! -e "root$place" ]
    mkdir "root$place"
    inject root
    fails 'somebody else'\''s /opt/settle is left alone' 1 "settle-inject: '$scratch/root$place': not made by settle-inject, and so left alone"
    rmdir "root$place"
    inject root
    : >"root$place/mine"
    inject --undo root
    fails 'what somebody else put there stays' 1 "settle-inject: '$scratch/root$place': something else is in it, and was left there"
    rm -rf root/opt
    mkdir -p outside
    ln -s "$scratch/outside" root/opt
    inject root
    fails 'a link does not lead out of the root' 1 \
        "settle-inject: '$scratch/root/opt': a symbolic link, which would lead out of the root; expected a directory, or nothing"
    holds 'where nothing is written' rmdir outside
    inject --env SETTLE_LOG=info root
    fails_naming 'a root has no place for variables' 2 "settle-inject: --env: '$scratch/root' is no bundle"
    inject --print root
    fails_naming 'a root has nothing to print' 2 "--print: 'root' has no config.json"
}

the_image_is_looked_at() {
    case $(uname -m) in
        x86_64) architecture=x86-64 loader=lib64/ld-linux-x86-64.so.2 ;;
        *) architecture=aarch64 loader=lib/ld-linux-aarch64.so.1 ;;
    esac
    new_bundle
    rm "$bundle/rootfs/$loader"
    inject "$bundle"
    case $status:$err in
        "0:settle-inject: warning: '$bundle/rootfs': no loader for $architecture in it ("*) result 'an image of another architecture gets a warning' true ;;
        *) result 'an image of another architecture gets a warning' false ;;
    esac
    new_bundle
    rm -r "$bundle/rootfs"
    inject "$bundle"
    holds 'so does one that is not there' [ "$status:$err" = "0:settle-inject: warning: '$bundle/rootfs': no such directory, so nothing is known of the image" ]
    new_bundle
    rm "$bundle/rootfs/bin/sh"
    changes_nothing 'an image without a shell gets no entrypoint' --entrypoint "$bundle"
    fails 'and why is said' 1 "settle-inject: '$bundle/rootfs': no /bin/sh in it, which --entrypoint needs; without --entrypoint the library alone is added"
    inject "$bundle"
    holds 'the library alone it gets' [ "$status$err" = 0 ]
}

errors_name_things() {
    new_bundle
    for text in '' '{' '[]' '"text"' '{"process": {}}' '{"process": {"args": "sh"}}'; do
        printf '%s' "$text" >"$config"
        inject "$bundle"
        case $status:$err in
            "1:"*"settle-inject: '$config': expected "*) result "'$text' is no config.json" true ;;
            *) result "'$text' is no config.json" false ;;
        esac
        holds "'$text': it stays, and nothing is left behind" [ "$(cat "$config"; ls "$bundle")" = "${text}config.json
rootfs" ]
    done
    new_bundle
    inject nowhere
    fails 'a directory that is not there' 1 "settle-inject: 'nowhere': expected a directory"
    inject home
    holds 'a directory with bin is taken for a root' [ "$status" = 0 ]
    inject --undo home
    mkdir -p layout
    inject layout
    fails 'neither bundle nor root' 1 "settle-inject: 'layout': expected a bundle, with config.json, or the root directory of an image, with bin, usr or etc"
    : >layout/oci-layout
    inject layout
    fails_naming 'a packed image' 1 "settle-inject: 'layout': the layout of an OCI image"
    inject /
    fails "this system's own root" 1 "settle-inject: '/': this system's own root"
    see="; see 'settle-inject --help'"
    inject
    fails 'no directory' 2 "settle-inject: 0 directories: expected one, a bundle or a root$see"
    inject a b
    fails 'two directories' 2 "settle-inject: 2 directories: expected one, a bundle or a root$see"
    inject --help-me "$bundle"
    fails 'an unknown option' 2 "settle-inject: unknown option '--help-me'$see"
    for value in '' SETTLE_LOG LOG=info SETTLE_=x =; do
        inject --env "$value" "$bundle"
        fails "--env '$value'" 2 "settle-inject: --env '$value': expected NAME=VALUE with the name of a setting of settle, such as SETTLE_LOG=info$see"
    done
    inject --env SETTLE_LOGS=info "$bundle"
    fails 'a variable that is no setting' 2 "settle-inject: --env 'SETTLE_LOGS=info': there is no setting 'SETTLE_LOGS'; 'settle --help' lists them$see"
    inject --env SETTLE_MAX_WAIT=soon "$bundle"
    fails 'a value that its setting does not take' 2 "settle-inject: --env 'SETTLE_MAX_WAIT=soon': expected seconds such as 2.0 or 500ms, from 0 to 86400$see"
    inject --entrypoint --env SETTLE_AFTER=yes "$bundle"
    fails 'a value that the entrypoint does not take' 2 "settle-inject: --env 'SETTLE_AFTER=yes': expected 0, 1 or checkpoint$see"
    inject --env
    fails '--env without a value' 2 "settle-inject: --env without a value: expected NAME=VALUE, such as SETTLE_LOG=info$see"
    inject --env SETTLE_AFTER=1 "$bundle"
    fails 'SETTLE_AFTER without the entrypoint' 2 "settle-inject: --env SETTLE_AFTER: needs --entrypoint, which is what heeds it$see"
    inject --undo --entrypoint "$bundle"
    fails '--undo with options' 2 "settle-inject: --undo: expected no other option$see"
    export SETTLE_LIBRARY=/nowhere.so
    inject "$bundle"
    fails 'a library that is not there' 1 "settle-inject: SETTLE_LIBRARY='/nowhere.so': expected a file that can be read"
    SETTLE_LIBRARY=$config
    inject "$bundle"
    fails 'a library that is none' 1 "settle-inject: library '$config': expected a library for x86-64 or aarch64"
    unset SETTLE_LIBRARY
    holds 'nothing of this changed anything' is_as_it_was
    inject --help
    holds '--help succeeds and goes to standard output' [ "$status$err" = 0 ]
    holds '--help fits into 80 columns' [ "$(printf '%s\n' "$out" | awk 'length > 80' | wc -l)" -eq 0 ]
    inject --version
    gives '--version prints name and version' "settle-inject $(sed -n 's/^#define SETTLE_VERSION "\(.*\)"$/\1/p' "$top/shim/settle.h")"
}

run_with_this_shell() {
    a_bundle_gets_the_library
    a_root_gets_files
    [ "$shell" = sh ] || return
    settings_and_entrypoint
    somebody_elses_change_is_not_lost
    the_image_is_looked_at
    errors_name_things
}

# With the first shell all of it.
with_every_shell run_with_this_shell
all_passed
