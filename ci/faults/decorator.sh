#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every fault of the decorator makes some case of the ladder fail, on the host or, where the host lacks what it takes,
# on an OpenCL device; a fault that never strikes changes nothing; the same fault strikes the same calls again.
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

if [ "${2-}" = --one ]; then # --one FAULT [OTHER_DEVICE]
    if what=$(goes_red "$3" host); then
        ok "$3 on host: $what"
    elif [ -n "${4-}" ] && what=$(goes_red "$3" "$4"); then
        ok "$3 on $4: $what"
    else
        bad "$3 is without effect: no case fails"
    fi
    exit 0
fi
cl=$("$tool" devices -q 2>/dev/null | awk '/^cl:/ { print $1; exit }') || true
"$tool" list faults -q | grep -vE '\.(vk|cl)-' >"$out/faults"
xargs -P 2 -I '{}' bash "$0" "$tool" --one '{}' "$cl" <"$out/faults" >"$out/each" || true
cat "$out/each"
passed=$(grep -c '^ok' "$out/each") failed=$(grep -c '^not ok' "$out/each") || true
[ "$(wc -l <"$out/each")" = "$(wc -l <"$out/faults")" ] || bad "not every fault was tried"

expected=$(cd "$(dirname "$0")/../.." && pwd)/cases/faults/expected.txt
if diff <("$tool" list faults -q | LC_ALL=C sort) <(sed '/^#/d; s/[ :].*//' "$expected" | LC_ALL=C sort -u) >"$out/log"; then
    ok "what each fault must be diagnosed as is written down"
else
    bad "cases/faults/expected.txt and 'list faults' differ"
    head -5 "$out/log"
fi

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
if grep -q -- '--inject' "$out"/run/TEST-*.xml; then
    ok "the repeat command carries the fault"
else
    bad "the repeat command carries the fault"
fi
for wrong in D9.nothing D1.dropped: D1.dropped:at=0 D1.dropped:no=1 D1.dropped:at=x; do
    status=0
    "$tool" run --inject "$wrong" --device host >"$out/log" 2>&1 || status=$?
    if [ "$status" = 2 ]; then ok "$wrong is refused"; else bad "$wrong is refused"; fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
