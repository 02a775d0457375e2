#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The OpenCL ladder on oclgrind, an ICD that interprets kernels: no data race, no access outside a buffer, no wrong API
# call. Sweeps end by themselves where a simulator gets too slow. Its check for uninitialised values stays off: it ends
# kernels that hold an instruction it does not know (freeze), which integer division brings along.
# usage: oclgrind.sh GPULADDER
set -eu
tool=$(realpath "$1")
out=$(mktemp -d)
reader=
trap '[ -z "$reader" ] || kill "$reader" 2>/dev/null; rm -rf "$out"' EXIT

icd=$(find /usr/lib /usr/local/lib -name 'liboclgrind-rt-icd.so' 2>/dev/null | head -n 1)
if [ -z "$icd" ]; then
    echo "ok oclgrind: skipped: it is not installed (package oclgrind)"
    echo "1 passed, 0 failed"
    exit 0
fi

cat >"$out/wrong.xml" <<'XML'
<cases rung="3">
  <case id="race" gates="no" proves="nothing: two invocations add to each word">
    <buffer name="data" type="uint" count="64" role="inout" fill="index"/>
    <dispatch kernel="increment" items="64,2,1" local="64,2,1"><set name="n" value="64"/></dispatch>
    <expect buffer="data" oracle="expr" with="i+3"/>
  </case>
  <case id="outside" gates="no" proves="nothing: writes far behind its buffer">
    <buffer name="dst" type="uint" count="64"/>
    <dispatch kernel="region" items="64" local="64">
      <set name="first" value="1M"/><set name="n" value="64"/><set name="value" value="3"/>
    </dispatch>
    <expect buffer="dst" oracle="expr" with="keep"/>
  </case>
</cases>
XML

export OCL_ICD_VENDORS=$icd OCLGRIND_DATA_RACES=1 OCLGRIND_CHECK_API=1 OCLGRIND_MAX_ERRORS=10000
# Every worker truncates the log: a pipe keeps what the ones before it wrote.
export OCLGRIND_LOG=$out/pipe
mkfifo "$OCLGRIND_LOG"

climb() { # NAME OPTION...: a red case is looked at below
    local status=0
    exec 9<>"$OCLGRIND_LOG"
    cat <&9 >"$out/$1.txt" 2>/dev/null &
    reader=$!
    timeout -k 5 200 "$tool" run --device cl --seed 1 --timeout 30 --output "$out/$1" "${@:2}" >"$out/$1.log" 2>&1 || status=$?
    echo "end of log" >&9
    for _ in $(seq 50); do
        grep -qx "end of log" "$out/$1.txt" && break
        sleep 0.1
    done
    kill "$reader"
    wait "$reader" 2>/dev/null || true
    reader=
    exec 9>&-
    if [ "$status" -gt 1 ]; then
        tail -20 "$out/$1.log"
        echo "not ok oclgrind: run ended with $status"
        echo "0 passed, 1 failed"
        exit 1
    fi
}
climb wrong --no-builtin --cases "$out/wrong.xml"
climb ladder --keep-going
python3 - "$out" <<'PY'
import json, sys

def records(name):
    return json.load(open(f"{sys.argv[1]}/{name}/run.json"))["records"]

def log(name):
    return open(f"{sys.argv[1]}/{name}.txt", errors="replace").read().split("\n")

passed = failed = 0
def check(ok, what):
    global passed, failed
    passed, failed = passed + bool(ok), failed + (not ok)
    print(f"{'ok' if ok else 'not ok'} oclgrind: {what}")

# What it cannot do, by its own words in the output of the case.
LIMITS = {"Undefined external function": "an intrinsic that its version of LLVM emits and it does not know"}

text = "\n".join(log("wrong"))
check("race at" in text, "a race is found")
check("Invalid write" in text, "a write outside a buffer is found")
text = log("ladder")
check(text and text[-2:] == ["end of log", ""] and len(text) == 2, "nothing found in the ladder")
if len(text) > 2:
    print("\n".join(text[:40]))
ladder = records("ladder")
devices = {r["device"] for r in ladder}
check(devices and all("oclgrind" in d for d in devices), f"the device is the simulator: {', '.join(sorted(devices))}")
by = {s: [r for r in ladder if r["status"] == s] for s in {r["status"] for r in ladder}}
check(len(by.get("pass", [])) > 150, f"{len(by.get('pass', []))} cases pass")
for r in ladder:
    said = (r.get("output") or "") + " ".join(r.get("messages") or [])
    if r["status"] in ("pass", "skip") and "Oclgrind - OpenCL runtime error" not in said:
        continue
    why = [w for mark, w in LIMITS.items() if mark in said]
    check(r["status"] != "pass" and why, f"{r['id']}: {r['status']}: {why[0] if why else (r.get('message') or said)[:300]}")
print(f"{passed} passed, {failed} failed")
sys.exit(failed or not passed)
PY
