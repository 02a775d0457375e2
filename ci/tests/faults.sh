#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every fault of the decorator makes some case of the ladder fail, on the host or, where the host lacks what it takes, on
# an OpenCL device; a fault that never strikes changes nothing; the same fault strikes the same calls again.
# usage: faults.sh GPULADDER
set -eu
tool=$1
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
passed=0 failed=0
ok() { echo "ok faults: $1" && passed=$((passed + 1)); }
bad() { echo "not ok faults: $1" && failed=$((failed + 1)); }

# goes_red FAULT DEVICE: 0 when at least one case ends other than it should, and it was struck
goes_red() {
    local status=0
    timeout 100 "$tool" run -q --device "$2" --inject "$1" --fail-fast --timeout 10 --seed 1 \
        --output "$out/run" >"$out/log" 2>&1 </dev/null || status=$?
    [ "$status" = 1 ] || return 1
    python3 - "$out/run/run.json" <<'PY'
import json, sys
red = [r for r in json.load(open(sys.argv[1]))["records"] if r["status"] not in ("pass", "skip", "blocked", "missing")]
if not red or not any(r.get("n_hits") or r["status"] in ("crash", "timeout", "lost") for r in red):
    sys.exit(1)
print(red[0]["id"], red[0]["status"], red[0].get("type"))
PY
}

cl=$("$tool" devices -q 2>/dev/null | awk '/^cl:/ { print $1; exit }') || true
for fault in $("$tool" list faults -q); do
    case $fault in *.vk-* | *.cl-*) continue ;; esac
    if what=$(goes_red "$fault" host); then
        ok "$fault on host: $what"
    elif [ -n "$cl" ] && what=$(goes_red "$fault" "$cl"); then
        ok "$fault on $cl: $what"
    else
        bad "$fault is without effect: no case fails"
    fi
done

if "$tool" run -q --device host --inject D1.dropped:at=1000000 --only 3 --only 5 --output "$out/run" >/dev/null 2>&1; then
    ok "a fault that never strikes changes nothing"
else
    bad "a fault that never strikes changes nothing"
fi
replay() {
    "$tool" run -q --device host --inject B4.zero:at=2,every=3 --only 4 --seed 7 --keep-going --output "$out/run" >/dev/null 2>&1 || true
    python3 -c 'import json,sys; [print(r["id"], r["status"], r.get("n_hits"), r.get("inject")) for r in json.load(open(sys.argv[1]))["records"]]' "$out/run/run.json"
}
replay >"$out/a"
replay >"$out/b"
if cmp -s "$out/a" "$out/b" && grep -q 'B4.zero:at=2,every=3' "$out/a"; then ok "the same again"; else bad "the same again"; fi
one=$(awk '$2 == "fail" { print $1; exit }' "$out/a")
"$tool" run -q --device host --inject B4.zero:at=2,every=3 --only "${one:-none}" --seed 7 --output "$out/run" >/dev/null 2>&1 || true
if [ -n "$one" ] && python3 -c 'import json,sys; [print(r["id"], r["status"], r.get("n_hits"), r.get("inject")) for r in json.load(open(sys.argv[1]))["records"]]' "$out/run/run.json" |
    grep -qxF "$(grep "^$one " "$out/a")"; then
    ok "one case alone is struck as it was in the whole run"
else
    bad "one case alone is struck as it was in the whole run"
fi
grep -q -- '--inject' "$out"/run/TEST-*.xml && ok "the repeat command carries the fault" || bad "the repeat command carries the fault"
for wrong in D9.nothing D1.dropped: D1.dropped:at=0 D1.dropped:no=1 D1.dropped:at=x; do
    status=0
    "$tool" run --inject "$wrong" --device host >"$out/log" 2>&1 || status=$?
    if [ "$status" = 2 ]; then ok "$wrong is refused"; else bad "$wrong is refused"; fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
