#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A case that cannot fail is a defect: every case runs with its dispatches, its uploads, its transfers and its device's
# description taken away, below the case's own code, and must go red each time something was taken from it.
# usage: mutation.sh GPULADDER [run options]
set -eu
tool=$1
shift
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
for drop in dispatch upload transfer info; do
    # Programs of the scheduler VM, the longest cases of all, have no transfers and no device information to lose.
    less=()
    case $drop in transfer | info) less=(--exclude 'vm-*') ;; esac
    # Exit 1 is what this test wants; anything above means that the harness itself failed.
    status=0
    timeout 600 "$tool" run --jobs 2 "$@" "${less[@]}" --drop "$drop" --keep-going --seed 1 --output "$out/$drop" >"$out/$drop.log" 2>&1 || status=$?
    if [ "$status" -gt 1 ]; then
        tail -20 "$out/$drop.log"
        echo "not ok mutation: run --drop $drop ended with $status"
        echo "0 passed, 1 failed"
        exit 1
    fi
done
python3 - "$out" <<'PY'
import json, sys

seen, red, bad = {}, set(), {}
for drop in ("dispatch", "upload", "transfer", "info"):
    for r in json.load(open(f"{sys.argv[1]}/{drop}/run.json"))["records"]:
        case = r["id"]
        if r["status"] in ("skip", "blocked"):
            continue
        seen.setdefault(case, r["device"])
        if not r.get("n_dropped"):
            continue
        if r["status"] in ("pass", "missing"):
            bad[case] = f"on {r['device']} stays {r['status']} with its {drop} dropped"
        else:
            red.add(case)
for case, device in seen.items():
    if case not in red:
        bad.setdefault(case, f"on {device}: nothing could be taken from it, so it cannot be seen to fail")
for case, why in bad.items():
    print(f"not ok mutation: {case} {why}")
print(f"ok mutation: {len(seen) - len(bad)} cases go red")
print(f"{len(seen) - len(bad)} passed, {len(bad)} failed")
sys.exit(bool(bad) or not seen)
PY
