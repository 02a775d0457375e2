#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The conformance vectors of the scheduler VM, each once, on every device that is there; make check-vm runs all of their
# ways. Without its dispatches, every case must go red.
# usage: vm.sh GPULADDER
set -eu
cd "$(dirname "$0")/../.."
tool=$(realpath "$1")
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
climb() { # NAME OPTION...
    local status=0
    timeout -k 5 280 "$tool" run --no-builtin --cases cases/vm/quick.xml --keep-going --require host --output "$out/$1" "${@:2}" \
        >"$out/$1.log" 2>&1 || status=$?
    [ "$status" -le 1 ] || { tail -20 "$out/$1.log"; echo "not ok vm: run ended with $status"; echo "0 passed, 1 failed"; exit 1; }
}
climb quick
climb dropped --device host --drop dispatch
python3 - "$out" <<'PY'
import json, sys

def records(name):
    return json.load(open(f"{sys.argv[1]}/{name}/run.json"))["records"]

passed = failed = 0
def check(ok, what):
    global passed, failed
    passed, failed = passed + bool(ok), failed + (not ok)
    print(f"{'ok' if ok else 'not ok'} vm: {what}")

for r in records("quick"):
    said = "; ".join(f["text"] for f in r.get("facts") or [])
    if r["status"] == "skip":
        said = r.get("message") or ""
        check("table" in r["id"] and said, f"{r['device']} {r['id']}: skipped: {said}")
    else:
        check(r["status"] == "pass", f"{r['device']} {r['id']}: {r['status']}: {said}")
dropped = records("dropped")
check(len(dropped) == 3 and all(r["status"] == "fail" for r in dropped), "without dispatches all of them fail")
print(f"{passed} passed, {failed} failed")
sys.exit(failed or not passed)
PY
