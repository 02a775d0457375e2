#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: cli.sh GPULADDER: the command line, from bad usage to the completion.
set -eu
# shellcheck source=ci/tests/lib/check.sh
. "$(dirname "$0")/lib/check.sh"
cd "$tmp"
silent() { [ ! -s "$1" ]; }

# ---- bad usage: one message, exit status 2, nothing on standard output
refuses() { # refuses WORD ARGUMENT...
    local word=$1
    shift
    got 2 "$@" && silent out && [ "$(wc -l <err)" = 1 ] && says "$word" err && grep -q '^gpuladder: ' err
}
check "without a command: short help on standard error" eval 'got 2 && silent out && says "Usage: gpuladder COMMAND" err'
check "unknown command" refuses "did you mean 'devices'" device
check "unknown long option" refuses "did you mean --device" run --devise x
check "unknown letter" refuses "no option -z" run -z
check "missing argument" refuses "--seed N" run --seed
check "argument where none belongs" refuses "--keep-going takes no argument" run --keep-going=1
check "empty argument" refuses "is empty" run --device ''
check "option of another command" refuses "only of: run" list --retries 1
check "argument of a command that takes none" refuses "'vector-add' is not expected" run vector-add
check "contradiction" refuses "--fail-fast" run --keep-going --fail-fast
check "no case left" refuses "--cases" run --no-builtin
for bad in '' 0 -1 +1 1x ' 1' 0x 1e3 99999999999999999999; do
    check "--timeout '$bad'" refuses --timeout run --timeout "$bad"
done
for bad in '' -1 0xg 18446744073709551616 1.5; do
    check "--seed '$bad'" refuses --seed run --seed "$bad"
done
for bad in '' 0/2 3/2 1/0 1 /2 1/ a/b 1/2/3 -1/2; do
    check "--shard '$bad'" refuses --shard run --shard "$bad"
done
check "--shard auto without CI" env -u CI_NODE_INDEX -u CIRCLE_NODE_INDEX -u BUILDKITE_PARALLEL_JOB -u BITBUCKET_PARALLEL_STEP \
    bash -c "$(declare -f got refuses says silent); tool='$tool'; refuses CI_NODE_INDEX run --shard auto"
check "--color blue" refuses "auto|always|never" run --color blue
check "--drop nothing" refuses "dispatch|upload" run --drop nothing
check "--only nonsense" refuses "no-such-case" run --only no-such-case --device host
check "a baseline that is not there" refuses "/nowhere/list" run --baseline /nowhere/list --device host
check "explain of nothing known" refuses "no-such-thing" explain no-such-thing
check "report of no run" got 2 report "$tmp/nothing"

# ---- help, version, manual page, completion: all from the same table
check "version" eval 'got 0 --version && grep -qE "^gpuladder [0-9]+\.[0-9]+\.[0-9]+$" out'
check "version -v" eval 'got 0 version -v && says backends'
check "help" eval 'got 0 help && says Commands:'
commands=$("$tool" __complete commands)
check "all ten commands" [ "$(echo $commands)" = "devices doctor exam explain help list report run version vm" ]
"$tool" help --man >man.1
"$tool" help --completion >completion.bash
grep -oE '^OPTION\([^,]*, "[a-z-]+"' "$here/harness/options.def" | grep -oE '"[a-z-]+"' | tr -d '"' >options
check "the table has options" [ "$(wc -l <options)" -gt 30 ]
for command in $commands; do
    check "help $command and $command --help are the same" eval \
        "got 0 help $command && cp out help.$command && got 0 $command --help && cmp -s out help.$command"
    check "help $command stays below 80 columns" eval "! grep -nE '^.{80,}' help.$command"
    check "manual page: $command" grep -q "^\.It Cm $command" man.1
done
while read -r option; do
    check "--$option is in a help text" grep -qE -- "--$option( |$)" help.*
    check "--$option is in the manual page" grep -qF -- "Fl \\-${option//-/\\-}" man.1
    check "--$option is completed" grep -qE -- "--$option( |'|\))" completion.bash
    check "--$option is in docs/cli.md" grep -qF -- "--$option" "$here/docs/cli.md"
done <options
for section in NAME SYNOPSIS DESCRIPTION COMMANDS OPTIONS 'EXIT STATUS' ENVIRONMENT FILES EXAMPLES 'SEE ALSO'; do
    check "manual page: section $section" grep -qx "\.Sh $section" man.1
done
for status in 0 1 2 77 99; do
    check "exit status $status is documented" eval "grep -qx '.It \"$status\"' man.1 && grep -qE '^\| $status \|' '$here/docs/cli.md'"
done
if command -v mandoc >/dev/null; then
    check "mandoc is content" eval 'mandoc -Tlint -Wwarning man.1 >out 2>err'
elif command -v groff >/dev/null && [ -e /usr/share/groff/current/tmac/mdoc.tmac ]; then
    check "groff is content" eval 'groff -mdoc -Tascii -ww -z man.1 >out 2>err && silent err'
fi
check "the completion is valid bash" bash -n completion.bash
completes() { # completes EXPECTED WORD...: the last word is being typed
    local want=$1
    shift
    PATH="$(dirname "$tool"):$PATH" bash -c 'source ./completion.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _gpuladder
        echo "${COMPREPLY[*]}"' bash "$tool" "$@" >out 2>err
    grep -qE -- "$want" out && silent err
}
check "completes commands" completes '^report run$' r
check "completes options" completes '^--junit --junit-flavor$' run --ju
check "completes options of that command only" completes '^--json$' list --j
check "completes choices" completes '^auto always never$' run --color ''
check "completes rungs" completes '^matmul$' list mat
check "completes cases" completes 'vector-add' explain vector-a
check "completes root causes" completes '^B4$' explain B4
check "completes devices" completes '^host host$|^host$' run --device ho
check "completes files" eval 'mkdir -p some && : >some.txt && completes "some some.txt|some.txt some" run --junit som'

# ---- list and explain
check "list" got 0 list
for rung in environment memory build dispatch arguments arithmetic workgroup matmul unified ordering indirection; do
    check "list $rung has cases" eval "got 0 list -q $rung && [ -s out ]"
    check "explain $rung" eval "got 0 explain $rung && says 'stands on'"
done
got 0 list -q
cp out names
check "at least 120 cases" [ "$(wc -l <names)" -ge 120 ]
check "names are unique" eval '[ -z "$(sort names | uniq -d)" ]'
for name in thread-id-1d thread-id-2d thread-id-3d vector-add vector-multiply-scalar reduction-static-local reduction-dynamic-local \
    matmul-naive matmul-tiled; do
    check "case $name" grep -qx "$name" names
done
check "cases unified-in-place-*" grep -q '^unified-in-place-' names
check "list by number" eval 'got 0 list -q 3 && cp out three && got 0 list -q dispatch && cmp -s out three'
check "list --include and --exclude" eval 'got 0 list -q -t "vector-*" -x "*scalar*" && says vector-add && ! says scalar'
check "list --caselist" eval 'printf "# one\nvector-add\n" >list && got 0 list -q --caselist list && [ "$(cat out)" = vector-add ]'
check "list -v says where and what" eval 'got 0 list -v vector-add && says "builtin/"'
check "list --json" eval 'got 0 list --json - && python3 -m json.tool <out >/dev/null && says "stands_on"'
check "explain every case" eval 'mapfile -t all <names && got 0 explain "${all[@]}" && [ "$(grep -c "^  proves" out)" = "$(wc -l <names)" ]'
for word in $("$tool" __complete classes) pass skip blocked fail timeout crash lost error missing; do
    check "explain $word" eval "got 0 explain $word && [ -s out ]"
done
check "explain takes small letters" eval 'got 0 explain b4 && says "B4:"'
check "explain ladder.mismatch.all-zero" eval 'got 0 explain ladder.mismatch.all-zero && says "U1"'
# every type that the sources give is explained by a row of its own
for type in $(grep -rhoE '"ladder\.[a-z-]+(\.[a-z-]+)*"' "$here/harness" "$here/reports" --include='*.c' --exclude='*_test.c' --exclude=misbehave.c | tr -d '"' | sort -u); do
    check "explain $type" eval "got 0 explain $type && ! says \"of one case's own\""
done
for probe in "$here"/harness/probes/*.c; do
    name=$(basename "$probe" .c)
    check "some case uses probe $name" eval "[ $name = steps ] || grep -rqF 'probe=\"$name\"' '$here/cases'"
done

# ---- the README's example is a case that runs, and that fails when its dispatch is taken away
sed -n '/^    <?xml/,/^    <\/cases>/s/^    //p' "$here/README.md" >my.xml
check "the README's case passes" got 0 run --device host --cases my.xml --only my-vector-add --output results
check "the README's case can fail" got 1 run --device host --cases my.xml --only my-vector-add --drop dispatch --output results
check "its mistakes are said with file and line" eval \
    'sed "/<dispatch/s/vector-add/vector-adt/" my.xml >bad.xml && got 2 list --cases bad.xml && says "bad.xml:8" err'

# ---- devices and doctor where nothing can be found
export VK_DRIVER_FILES=/nowhere.json OCL_ICD_VENDORS=/nowhere.icd
check "devices without drivers: 77 and both reasons" eval 'got 77 devices && says "/nowhere.json" && says "/nowhere.icd" && says doctor err'
check "devices --json without drivers" eval 'got 77 devices --json - && python3 -m json.tool <out >/dev/null && says refused'
check "doctor without drivers: 77, the variables, what to do" eval \
    'got 77 doctor && says "VK_DRIVER_FILES=/nowhere.json" && says "What to do" && says "env -u VK_DRIVER_FILES"'
check "devices --device host" got 0 devices --device host
check "devices --device of none" got 77 devices --device no-such-device
echo '{"ICD": {' >broken.json
check "a broken manifest is named" eval 'VK_DRIVER_FILES=$tmp/broken.json got 77 devices && says "$tmp/broken.json" && says "is no JSON"'
# a driver whose library lacks another: this program under another name, with the name of a library in it changed
sed 's/libjansson\.so\.4/libmissing.so.4/' "$tool" >driver.so
echo "{\"file_format_version\": \"1.0.0\", \"ICD\": {\"library_path\": \"$tmp/driver.so\", \"api_version\": \"1.3.0\"}}" >needs.json
check "doctor names a library that a driver lacks" eval \
    'VK_DRIVER_FILES=$tmp/needs.json got 77 doctor && says "it needs libmissing.so.4" && says "install the package that holds"'
# ---- a standard output that cannot be written
check "full disk behind standard output: said, 99" eval '
    status=0; "$tool" list >/dev/full 2>err || status=$?; [ $status = 99 ] && says "No space left" err'

total
