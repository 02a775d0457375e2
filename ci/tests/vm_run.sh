#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: vm_run.sh GPULADDER: gpuladder vm as a user types it: asm, dis, check and run, on the reference and beside it on devices.
set -eu
# shellcheck source=ci/tests/lib/check.sh
. "$(dirname "$0")/lib/check.sh"
cd "$tmp"
export TMPDIR=$tmp/scratch verb=vm
mkdir "$TMPDIR"
refuses() { # refuses STATUS WORD ARGUMENT...: one line on standard error, which says the word
    local status=$1 word=$2
    shift 2
    got "$status" "$@" && [ "$(wc -l <err)" = 1 ] && says "$word" err && grep -q '^gpuladder: ' err
}

cp "$here/cases/vm/example.sva" .
# shellcheck disable=SC2034 # used within eval
log='cnt=3 a=22 b=11 t=27
$finish (pid=3)'

# ---- asm, dis, check
check "asm writes the file of the specification" eval 'got 0 asm example.sva && [ "$(stat -c %s example.svm)" = 1724 ]'
check "asm -o" eval 'got 0 asm example.sva -o other.svm && cmp -s example.svm other.svm'
check "dis gives text that assembles to the same" eval 'got 0 dis example.svm -o back.sva && got 0 asm back.sva && cmp -s back.svm example.svm'
check "check" eval 'got 0 check example.svm && says "good; 4 processes" && says "first-op counts done=0"'
printf '.svm 1.0\n.state 4\n.proc p\n  jmp nowhere\n' >label.sva
head -c 100 example.svm >cut.svm
{ head -c 900 example.svm; printf x; tail -c +902 example.svm; } >bent.svm
printf '.svm 1.0\n.state 4\n.limits wide=128\n.signal w 100 = 100'"'d5"'\n.proc p\n  set w = { %%w 100'"'d1"' add:100 }\n' >wide.sva
check "no verb" refuses 2 "expected asm, dis, check or run"
check "no such verb" refuses 2 "no 'foo'" foo example.sva
check "no program" refuses 2 "a program" run
check "no such file" refuses 2 "nofile.sva: cannot read" asm nofile.sva
check "a folder" refuses 2 "is a directory" run "$tmp"
check "two programs" refuses 2 "one too many" asm example.sva example.svm
check "not a program" refuses 2 "expected .svm 1.0 first" run "$here/README.md"
check "an error in the text names file and line" refuses 2 "label.sva:4: no label 'nowhere' in this process" asm label.sva
check "a file that was cut" refuses 1 "the header says 1724 bytes, the file has 100" check cut.svm
check "a file with a bent byte" refuses 1 CRC check bent.svm
check "no place to write" refuses 99 "/nonexistent/x: cannot write" asm example.sva -o /nonexistent/x
check "level L6 is skipped with the reason" eval 'got 77 check wide.sva && says "it needs wide values, so it is skipped here"'
check "vm run of level L6" refuses 77 "it needs wide values, so it is skipped here" run wide.sva
check "vm run of level L6 on a device" refuses 77 "skipped here" run wide.sva --device host
for bad in 1,2 1,2,3,4 0,1,1 1,1,0 a,b,c 1,,2 '' -1,1,1; do
    check "--slice '$bad'" refuses 2 --slice run example --slice "$bad"
done
check "--binding" refuses 2 "direct|table|packed|all" run example --binding none
check "--count" refuses 2 "from 1 to 1048576" run example --count 0
check "an argument that is no plusarg" refuses 2 "expected plusargs" run example foo
check "pico:3" refuses 2 "from 4 to 20000" run pico:3
for option in "--device host" "--vcd x" "--count 2" "--trace"; do
    for part in asm dis check; do # shellcheck disable=SC2086
        check "$option of vm $part" refuses 2 "is no option of 'vm $part', only of: " $part example.sva $option
    done
done
check "--unchecked of vm dis" refuses 2 "only of: vm:asm,check,run" dis example.sva --unchecked
check "-o of vm check" refuses 2 "--output is no option of 'vm check'" check example.sva -o x
check "options for devices without one" refuses 2 "--json is about devices" run example --json x
check "a fault that is none" refuses 2 "there is no fault" run example --device host --inject I2.nothing

# ---- run, the reference alone
check "run prints the log" eval 'got 0 run example.sva && [ "$(cat out)" = "$log" ] && says "finished at time 27 after 1 launch" err'
check "a file, a text and the built-in program do the same" eval 'got 0 run example.svm && cp out a && got 0 run example && cmp -s out a'
check "--slice 1,1,1 takes 42 launches" eval 'got 0 run example --slice 1,1,1 && says "after 42 launches" err && [ "$(cat out)" = "$log" ]'
check "--log, --state, --vcd and --trace" eval 'got 0 run example --log log --state state --vcd vcd --trace &&
    [ ! -s out ] && [ "$(cat log)" = "$log" ] && says "signal cnt = 8'"'"'h03" state && says "enddefinitions" vcd &&
    [ "$(grep -c "^trace: gid=0" err)" = 16 ]'
printf '.svm 1.0\n.state 4\n.proc p\n  svc display "n=%%0d", 7\n  wait.time 1\ntop: noop\n  jmp top\n' >endless.sva
check "a program without end ends at the deadline" eval 'got 1 run endless.sva --timeout 1 && says "not over at its deadline" err'
printf '.svm 1.0\n.state 4\n.limits depth=1\n.proc p\n  ret\n' >faulty.sva
check "a program that ends in an error" eval 'got 1 run faulty.sva && says "error RET_EMPTY in process 0 (p), ip 0" err'

# ---- run, on devices
equal() { grep -qE "^$1 $2: equal after each of [0-9]+ launches; [0-9]+ dispatches, [0-9]+ instructions, [0-9]+ activations, " err; }
check "host, all modes" eval 'got 0 run example --device host --binding all && [ "$(cat out)" = "$log" ] &&
    equal host direct && equal host table && equal host packed'
check "the program's error is the devices', too" eval 'got 1 run faulty.sva --device host && equal host direct'
printf '.svm 1.0\n.state 4\n.signal r 32\n.proc p\n  svc testplusargs "fast"\n  wait.service\n  svc.ret r\n  svc display "r=%%0d", { %%r }\n' >plus.sva
check "plusargs reach the device" eval 'got 0 run plus.sva +fast --device host && says "r=1" && equal host direct'
check "counts and slices reach the device" eval 'got 0 run example --count 3 --slice 2,1,1 --device host && equal host direct && says "[2] cnt=3"'
check "--json holds the figures" eval 'got 0 run pico:5 --device host --json f.json && python3 -c "
import json
r, ref = json.load(open(\"f.json\"))
assert r[\"device\"] == \"host\" and r[\"mode\"] == \"direct\" and r[\"status\"] == \"pass\" and r[\"count\"] == 1, r
assert r[\"activations\"] > 300 and r[\"instructions\"] > r[\"activations\"] and r[\"instructions_per_second\"] > 0, r
assert ref[\"device\"] == \"reference\" and ref[\"instructions\"] == r[\"instructions\"], ref"'
check "--output keeps journal and reports" eval 'got 0 run example --device host -o kept && [ -s kept/journal.jsonl ] && [ -s kept/TEST-gpuladder-host.xml ]'
check "no such device" eval 'got 77 run example --device nosuch && says "there is no such device" err'
check "a device that differs: both values, and where" eval 'got 1 run pico:45 --device host --inject M1.wrong-lane:after=2 &&
    says "host direct: fail: launch 1: reference and device differ: instance 0, time 135, pid 39, ip 38: sched_state[39]: 0x1 and 0x54" err'
check "a deadline on the device" eval 'got 1 run endless.sva --timeout 2 --device host --slice 1,1,1 && says "deadline" err'
check "nothing is left behind" eval '[ -z "$(ls "$TMPDIR")" ]'
for device in vk cl; do
    status=0
    timeout 120 "$tool" vm run example --device $device --binding all >out 2>err </dev/null || status=$?
    [ $status != 77 ] || { echo "# vm_run: no device of $device here"; continue; }
    check "$device, all modes" eval '[ $status = 0 ] && grep -q ": equal after each of 1 launches" err && [ "$(cat out)" = "$log" ]'
done

# ---- the examples of docs/vm.md: each runs as printed there, in the reference and on the host device
python3 - "$here/docs/vm.md" <<'PY'
import re, sys
found = re.findall(r"```sva\n(.*?)```\n```log\n(.*?)```", open(sys.argv[1]).read(), re.S)
for i, (program, log) in enumerate(found):
    open(f"doc{i}.sva", "w").write(program)
    open(f"doc{i}.log", "w").write(log)
PY
check "docs/vm.md has three examples" eval '[ -f doc2.sva ] && [ ! -f doc3.sva ]'
for i in 0 1 2; do
    check "example $i of docs/vm.md" eval "got 0 run doc$i.sva --device host --binding all && cmp -s out doc$i.log && got 0 asm doc$i.sva"
done

# ---- undefined by OpenCL's specification: in a process of its own, whatever comes of it
for device in $("$tool" devices -q 2>/dev/null | awk '/^cl:/ { print $1 }'); do
    timeout 120 "$tool" run -q --no-builtin --cases "$here/cases/selftest/vm-unreached.xml" --device "$device" --output reach >out 2>err </dev/null || true
    check "$device: a table left out of the indirect-use list: some outcome is recorded" python3 -c '
import json
r, = json.load(open("reach/run.json"))["records"]
print("# vm_run:", r["device"], "buffer 0 left out of the indirect-use list:", r["status"], *[f["text"] for f in r.get("facts", []) if "declared" in f["text"]])
assert r["status"] not in ("missing", "blocked")'
done

total
