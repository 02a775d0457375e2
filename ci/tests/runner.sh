#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The runner against workers that misbehave, users that interrupt and disks that are full: always real processes.
# usage: runner.sh GPULADDER
set -eu
# shellcheck source=ci/tests/lib/check.sh
. "$(dirname "$0")/lib/check.sh"
unset GITHUB_STEP_SUMMARY CI

# One run on the host device in $tmp/NAME, at most a minute; its exit status is left in $status.
go() {
    local name=$1
    shift
    status=0
    timeout -k 5 60 "$tool" run --device host --no-builtin --output "$tmp/$name" --seed 7 "$@" \
        >"$tmp/$name.out" 2>"$tmp/$name.err" || status=$?
}

# How each case ended, as "ID STATUS" lines, from the report that is made for programs.
ends() { python3 -c 'import json,sys
for r in json.load(open(sys.argv[1] + "/run.json"))["records"]: print(r["id"], r["status"])' "$tmp/$1"; }
# A Python expression over the record r of a case.
about() { python3 -c 'import json,sys
r = [r for r in json.load(open(sys.argv[1] + "/run.json"))["records"] if r["id"] == sys.argv[2]][0]
facts = " ".join(f["text"] for f in r.get("facts", []))
ok = eval(sys.argv[3])
if not ok: print(r)
sys.exit(not ok)' "$tmp/$1" "$2" "$3"; }
is() { [ "$1" = "$2" ] || { echo "got $1, expected $2"; false; }; }
ended() { # RUN ID STATUS
    is "$(ends "$1" | sed -n "s/^$2 //p")" "$3"
}

# ---- workers that misbehave ----

go bad --cases cases/selftest/bad.xml
check "a run with eleven bad cases ends by itself with status 1" is "$status" 1
while read -r id want; do
    check "$id ends as $want" ended bad "$id" "$want"
done <<'END'
bad-before pass
bad-segv crash
bad-abort crash
bad-exit crash
bad-spin timeout
bad-stubborn timeout
bad-oom crash
bad-chatty pass
bad-chatty-exit crash
bad-close-pipe error
bad-garbage error
bad-flood error
bad-lost lost
bad-after pass
END
check "the signal is in the record" about bad bad-segv 'r["signal"] == 11 and "SIGSEGV" in r["message"]'
check "the exit status is in the record" about bad bad-exit 'r["exit_code"] == 3'
check "what a worker printed before it died is kept" about bad bad-segv '"about to write to address 16" in r["output"]'
check "beginning and end of long output are kept, and how long it was" about bad bad-chatty-exit \
    '"first line" in r["output"] and "last line" in r["output"] and len(r["output"]) < 70000 and r["output_bytes"] > 8 << 20'
check "a stubborn worker got SIGKILL" about bad bad-stubborn 'r["signal"] == 9 and r["time_ns"] < 4e9'
check "after a crash the new process is said" about bad bad-abort '"new process" in facts and "bad-segv" in facts'

# Rung 0 is tried again after each of them, and a device that fails it then is lost.
selftest() { # RUNG ID MODE [ATTRIBUTES [FILE]]
    echo "<cases rung='$1'><case id='$2' probe='misbehave' proves='x' ${4-}><param name='mode' value='$3'/>" \
        "${5+<param name='file' value='$5'/>}</case></cases>" >"$tmp/lose/$2.xml"
}
mkdir "$tmp/lose"
selftest 0 lose-first once '' "$tmp/once"
selftest 1 lose-crash segv "gates='no'"
selftest 1 lose-next pass
selftest 1 lose-rest pass
go again --cases "$tmp/lose"
check "rung 0 passes at first" ended again lose-first pass
check "a device that fails rung 0 in the new process is lost" ended again lose-next lost
check "what comes after is blocked by it" ended again lose-rest blocked
check "a run that lost its device fails" is "$status" 1

# ---- order and known results ----

steps="--cases cases/selftest/steps-1.xml --cases cases/selftest/steps-3.xml"
go steps $steps
check "a failed rung blocks those above" ended steps step-high blocked
check "and is named" about steps step-high 'r["blocker"] == "step-fail" and "step-fail" in r["message"]'
check "the rest of a failed rung runs" ended steps step-pass pass
go steps $steps --keep-going
check "--keep-going runs them all the same" ended steps step-high pass
go steps $steps --exclude step-fail
check "a case that does not gate blocks nothing" ended steps step-high pass
go steps $steps --fail-fast
check "--fail-fast leaves out what follows" ended steps step-pass blocked
go steps $steps --exclude step-fail --exclude step-edge --retries 2
check "a case that passes on the second repeat is a flaky pass" about steps step-twice \
    'r["status"] == "pass" and r["flaky"] and r["tries"] == 3 and len(r["retry"]) == 2'
check "and the run passes" is "$status" 0
go steps $steps --exclude step-edge --exclude step-twice --retries 2
check "a case that fails each time is described by its first try" about steps step-fail \
    'r["status"] == "fail" and r["tries"] == 3 and len(r["retry"]) == 2 and not r.get("flaky")'

cat >"$tmp/known.txt" <<'END'
# results of an earlier run
step-fail,Fail # ticket 7
host/step-edge,fail
vk-absent/step-high,Crash
step-twice,Flake
END
go known $steps --baseline "$tmp/known.txt"
check "known failures are no failures" is "$status" 0
check "known failures do not block" ended known step-high pass
check "the reason is kept" about known step-fail 'r["known"] == "ticket 7" and r["status"] == "fail"'
printf 'step-pass,Fail\n' >"$tmp/known.txt"
go known $steps --only step-pass --baseline "$tmp/known.txt"
check "a pass that was not expected fails the run" is "$status" 1
check "and is marked" about known step-pass 'r["unexpected"]'
printf 'step-fail,Crash\n' >"$tmp/known.txt"
go known $steps --only step-fail --baseline "$tmp/known.txt"
check "another failure than the known one fails the run" is "$status" 1
printf '\n# x\nstep-psas,Fail\n' >"$tmp/known.txt"
go known $steps --baseline "$tmp/known.txt"
check "an entry that matches no case is bad usage" is "$status" 2
check "and is named with file, line and what may have been meant" grep -q "known.txt:3: 'step-psas'.*step-pass" "$tmp/known.err"
printf 'step-fail\n' >"$tmp/known.txt"
go known $steps --baseline "$tmp/known.txt"
check "a baseline entry without a status is bad usage" grep -q 'known.txt:1: expected name,status' "$tmp/known.err"
printf 'step-fail\nhost/step-e*\n' >"$tmp/skips.txt"
printf 'step-twice # now and then\n' >"$tmp/flakes.txt"
go skips $steps --skips "$tmp/skips.txt" --flakes "$tmp/flakes.txt"
check "skips are skipped" ended skips step-fail skip
check "a failure of a flake is no failure" is "$status" 0
check "but is said" about skips step-twice 'r["status"] == "fail" and "now and then" in r["known"]'
go skips $steps --flakes "$tmp/flakes.txt" --retries 1 --only step-edge
check "with a list of flakes others are not repeated" about skips step-edge 'r["tries"] == 1'

# ---- which cases ----

names() { "$tool" run --device host --no-builtin $steps --dry-run "$@" 2>/dev/null | sed 's/ *#.*//; s,.*/,,' | tr '\n' ' '; }
printf 'step-pass\nhost/step-high\nelse/step-skip\n' >"$tmp/list"
check "--only RUNG by number" is "$(names --only 3)" "step-high "
check "--only RUNG by name" is "$(names --only dispatch)" "step-high "
check "--only CASE" is "$(names --only step-skip --only step-high)" "step-skip step-high "
check "--include and --exclude" is "$(names -t 'step-[ef]*' -x '*edge')" "step-fail "
check "--caselist" is "$(names --caselist "$tmp/list")" "step-pass step-high "
for i in 1 2 3; do names --shard $i/3; done | tr ' ' '\n' | sort >"$tmp/shards"
names | tr ' ' '\n' | sort | grep . >"$tmp/all"
check "three shards make one whole" sh -c "grep . '$tmp/shards' | cmp - '$tmp/all'"
check "--shard auto" is "$(CI_NODE_INDEX=2 CI_NODE_TOTAL=3 names --shard auto)" "$(names --shard 2/3)"
for option in --only --include --exclude; do
    go none $steps $option step-none
    check "$option that matches nothing is bad usage" is "$status" 2
done
go none $steps --only step-skip
check "a run of nothing but skips tested nothing: 77" is "$status" 77
go none $steps --only step-skip --require host
check "--require makes that a failure" is "$status" 1
go none $steps --only step-pass --require host
check "--require of a device that was tested" is "$status" 0
status=0
"$tool" run --device nothing-like-it --no-builtin $steps --output "$tmp/none" >/dev/null 2>&1 || status=$?
check "no device: 77" is "$status" 77

# ---- interruptions ----

missing() { ends "$1" | grep -c ' missing$' || true; }
whole() { # RUN N: all N cases are in the JUnit, those that did not run as errors
    local file=$tmp/$1/TEST-gpuladder-host.xml
    xmllint --noout "$file" && is "$(grep -c '<testcase ' "$file")" "$2" &&
        is "$(grep -c 'type="ladder.missing"' "$file" || true)" "$(missing "$1")"
}
for signal in INT:130 TERM:143; do
    status=0
    timeout --preserve-status -k 5 -s ${signal%:*} 0.7 "$tool" run --device host --no-builtin --cases cases/selftest/slow.xml \
        --output "$tmp/stop" >/dev/null 2>&1 || status=$?
    check "SIG${signal%:*}: exit ${signal#*:}" is "$status" "${signal#*:}"
    check "SIG${signal%:*}: reports name what is missing" whole stop 60
    check "SIG${signal%:*}: some ran and some did not" sh -c "[ $(missing stop) -gt 10 ] && [ $(missing stop) -lt 60 ]"
done

workers() { pgrep -f "__worker host .* $1\$" || true; }
for moment in 0 0.1 0.25 0.4 0.6 0.85 1.1 1.5 2 2.5; do
    rm -rf "$tmp/kill"
    "$tool" run --device host --no-builtin --cases cases/selftest/slow.xml --output "$tmp/kill" >/dev/null 2>&1 &
    pid=$!
    until [ -s "$tmp/kill/journal.jsonl" ]; do kill -0 $pid && sleep 0.01; done
    sleep $moment
    { kill -9 $pid; wait $pid; } 2>/dev/null || true
    status=0
    "$tool" report "$tmp/kill" >/dev/null 2>&1 || status=$?
    ran=$(grep -c '^{"record"' "$tmp/kill/journal.jsonl" || true)
    check "killed after $moment s: report says so" is "$status" 1
    check "killed after $moment s: $ran cases ran, the others are missing" is "$(missing kill)" $((60 - ran))
    check "killed after $moment s: complete JUnit" whole kill 60
    for _ in 1 2 3 4 5 6 7 8 9 10; do [ -z "$(workers $pid)" ] || sleep 0.1; done
    check "killed after $moment s: no worker is left" is "$(workers $pid)" ""
done

"$tool" run --device host --no-builtin --cases cases/selftest/bad.xml --only bad-before --only bad-stubborn --output "$tmp/kill" >/dev/null 2>&1 &
pid=$!
sleep 0.3
{ kill -9 $pid; wait $pid; } 2>/dev/null || true
sleep 0.3
check "a busy worker dies with its parent, too" is "$(workers $pid)" ""

# ---- disks that are full ----

mkdir "$tmp/full"
ln -s /dev/full "$tmp/full/journal.jsonl"
go full $steps
check "no room for the journal: 99" is "$status" 99
check "and it is said" grep -q 'journal.jsonl: cannot write: No space left' "$tmp/full.err"
go report $steps --only step-pass --junit /dev/full
check "no room for a report: 99" is "$status" 99
check "and it is said" grep -q '/dev/full: cannot write: No space left' "$tmp/report.err"
check "devices are written to, not replaced" test -c /dev/full
status=0
"$tool" run --device host --no-builtin $steps --output /proc/nowhere >/dev/null 2>&1 || status=$?
check "a folder that cannot be made: 99" is "$status" 99
if unshare -rm true 2>/dev/null; then
    mkdir "$tmp/small"
    status=0
    timeout -k 5 60 unshare -rm sh -c "mount -t tmpfs -o size=40k none '$tmp/small' && exec '$tool' run --device host \
        --no-builtin --cases cases/selftest/slow.xml --output '$tmp/small'" >/dev/null 2>"$tmp/small.err" || status=$?
    check "a disk that fills up in the run: 99" is "$status" 99
    check "and it is said" grep -q 'cannot write: No space left' "$tmp/small.err"
fi

# ---- the summary on GitHub ----

for i in 1 2; do
    GITHUB_STEP_SUMMARY=$tmp/summary "$tool" run --device host --no-builtin $steps --only step-pass --github-summary \
        --output "$tmp/summed" >/dev/null 2>&1 || true
done
check "the summary is appended to what is there" is "$(grep -c 'gpuladder' "$tmp/summary")" "$((2 * $(grep -c gpuladder "$tmp/summed/report.md")))"

# ---- cost ----

"$tool" run --device host --cases cases/selftest/slow.xml --include 'slow-*' --output "$tmp/cost" >/dev/null 2>&1 &
pid=$!
sleep 2.5
peak=$(awk '/^VmHWM/ {print $2}' /proc/$pid/status)
wait $pid || true
check "the parent stays below 30 MB ($peak kB)" test "$peak" -lt 30000

# ---- a kernel without end ----

if "$tool" devices -q --device cl-pocl 2>/dev/null | grep -q pocl; then
    status=0
    timeout -k 5 60 "$tool" run --device cl-pocl --no-builtin --cases cases/selftest/kernel.xml --cases cases/selftest/steps-1.xml \
        --only bad-kernel --only step-pass --output "$tmp/kernel" >/dev/null 2>&1 || status=$?
    check "a kernel without end on PoCL is given up" ended kernel bad-kernel timeout
    check "with a record of its own" about kernel bad-kernel '"device" in r["message"]'
else
    echo "skip runner: no PoCL here, whose kernels can run without end"
fi

total
