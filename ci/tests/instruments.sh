#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The instruments see what they are there for: cases that must fail, each in its own way, on the host device and on every
# driver's. usage: instruments.sh GPULADDER
set -eu
tool=$1
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
status=0
timeout 120 "$tool" run --no-builtin --cases cases/selftest/instruments.xml --keep-going --output "$out" >"$out/log" 2>&1 || status=$?
[ "$status" = 1 ] || { tail "$out/log"; echo "not ok instruments: exit status $status, expected 1"; echo "0 passed, 1 failed"; exit 1; }
python3 - "$out/run.json" <<'PY'
import json, sys

want = {
    "wrong-from-778": lambda r: r["sweep_failed"] == 778 and r["sweep_passed"] == 777,
    "writes-behind": lambda r: r["type"] == "ladder.redzone",
    "writes-input": lambda r: r["type"] == "ladder.input-changed",
    "keeps-tail": lambda r: "right up to element 60, then as before" in r["message"],
    "one-place-late": lambda r: "belong 1 place" in r["message"],
    "one-ulp": lambda r: r["type"].startswith("ladder.mismatch") and 1 < float(r["seen"][0]["diff"][0]["ulps"]) < 8,
    "below-floor": lambda r: r["type"] == "ladder.floor",
    "too-good": lambda r: r["measures"][0].get("doubt") is not None,
}
passed = failed = 0
run = json.load(open(sys.argv[1]))
cpu = [d["slug"] for d in run["run"]["devices"] if d["info"]["type"] == "cpu"]
for r in run["records"]:
    if r["id"] == "too-good" and r["device"] not in cpu:
        continue # what a GPU can do at most is not known here
    ok = r["status"] == ("pass" if r["id"] == "too-good" else "fail") and want[r["id"]](r)
    passed, failed = passed + ok, failed + (not ok)
    print("ok" if ok else "not ok", f"instruments: {r['id']} on {r['device']}: {r['status']} {r.get('message')}")
print(f"{passed} passed, {failed} failed")
sys.exit(bool(failed) or not passed)
PY
