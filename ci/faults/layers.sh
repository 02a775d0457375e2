#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The two layers of faults: with no fault on they change nothing, as a driver that is hostile within the specification
# (shadow maps, reordered commands) the ladder stays green, and with any one fault on it goes red.
# usage: layers.sh GPULADDER [vk|cl]
set -eu
tool=$1
layers=$(dirname "$tool")/layers
here=$(cd "$(dirname "$0")/../.." && pwd)
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
passed=0 failed=0
ok() { echo "ok layers: $1" && passed=$((passed + 1)); }
bad() { echo "not ok layers: $1" && failed=$((failed + 1)); }
baseline=()
[ ! -f "$here/cases/expect/known.txt" ] || baseline=(--baseline "$here/cases/expect/known.txt")

# climb DEVICE OPTIONS...: exit status of a run of the ladder
climb() {
    local device=$1 status=0
    shift
    timeout 250 "$tool" run -q --device "$device" "${baseline[@]}" --seed 1 --timeout 20 --output "$out/run" "$@" \
        >"$out/log" 2>&1 </dev/null || status=$?
    return "$status"
}
first_red() {
    python3 -c 'import json, sys
red = [r for r in json.load(open(sys.argv[1]))["records"]
       if r["status"] not in ("pass", "skip", "blocked", "missing") and not r.get("known")]
print(red[0]["id"], red[0]["status"], red[0].get("type")) if red else sys.exit(1)' "$out/run/run.json"
}
statuses() {
    python3 -c 'import json, sys
for r in json.load(open(sys.argv[1]))["records"]: print(r["id"], r["status"])' "$out/run/run.json"
}

# case_of FAULT: the case that shows it
case_of() {
    awk -F '|' -v fault="$1" '{ gsub(/ /, "", $1) } $1 == fault { sub(/@.*/, "", $4); gsub(/ /, "", $4); print $4; exit }' \
        "$here/cases/faults/expected.txt"
}
# cannot_run DEVICE CASE: why
cannot_run() {
    climb "$1" --only "$2" --keep-going || true
    python3 -c 'import json, sys
r = json.load(open(sys.argv[1]))["records"]
sys.exit(1) if not r or r[0]["status"] != "skip" else print(r[0]["id"], "is skipped,", r[0]["message"])' "$out/run/run.json"
}

# with_layer API COMMAND...: with the layer between loader and driver
with_layer() {
    local api=$1
    shift
    if [ "$api" = vk ]; then
        VK_ADD_LAYER_PATH=$layers VK_INSTANCE_LAYERS=VK_LAYER_GPULADDER_fault "$@"
    else
        OPENCL_LAYERS=$layers/libgpuladder_fault_cl.so "$@"
    fi
}

if [ "${2-}" = --one ]; then # --one DEVICE FAULT
    status=0 case=$(case_of "$4")
    [ "$case" = - ] || climb "$3" --inject "$4" --only "$case" --keep-going || status=$?
    if [ "$status" != 1 ]; then # perhaps in another one
        status=0
        climb "$3" --inject "$4" --fail-fast || status=$?
    fi
    if [ "$status" = 1 ] && what=$(first_red); then
        ok "$4 on $3: $what"
    elif [ "$status" = 0 ] && [ "$case" != - ] && why=$(cannot_run "$3" "$case"); then
        ok "$4 on $3 cannot be shown: $why"
    elif [ "$status" = 77 ]; then
        ok "$4 on $3: no device is left" # what hiding the only one is for
    else
        bad "$4 on $3 is without effect: no case fails (status $status)"
    fi
    exit 0
fi

check_api() { # check_api vk DEVICE: everything of one layer
    local api=$1 device=$2
    climb "$device" || true
    statuses >"$out/plain"
    with_layer "$api" climb "$device" || true
    statuses >"$out/layered"
    if [ -s "$out/plain" ] && cmp -s "$out/plain" "$out/layered"; then
        ok "$device: with no fault on nothing changes"
    else
        bad "$device: with no fault on something changes"
        diff "$out/plain" "$out/layered" | head -5
    fi
    for mode in shadow reorder shadow,reorder $([ "$api" = cl ] || echo queues discrete); do
        if GPULADDER_MODE=$mode with_layer "$api" climb "$device"; then
            ok "$device: green on a driver that is hostile within the specification: $mode"
        else
            bad "$device: not green on a driver that is hostile within the specification: $mode"
            tail -5 "$out/log"
        fi
    done
    # Two at a time: most of it is waiting for drivers to start.
    "$tool" list faults -q | grep -F ".$api-" | xargs -P 2 -I '{}' bash "$0" "$tool" --one "$device" '{}' >"$out/each" || true
    cat "$out/each"
    passed=$((passed + $(grep -c '^ok' "$out/each" || true)))
    failed=$((failed + $(grep -c '^not ok' "$out/each" || true)))
    [ "$(wc -l <"$out/each")" = "$("$tool" list faults -q | grep -cF ".$api-")" ] || bad "$device: not every fault was tried"
}

"$tool" devices -q >"$out/devices" 2>/dev/null || true
vk=$(awk '$2 == "vk-llvmpipe" { print $1 }' "$out/devices")
cl=$(awk '$2 == "cl-pocl" { print $1 }' "$out/devices")
for api in "vk:$vk" "cl:$cl"; do
    case ${2-$api} in "${api%%:*}"*) ;; *) continue ;; esac
    if [ -z "${api#*:}" ]; then
        bad "no device to test the ${api%%:*} layer on"
    else
        check_api "${api%%:*}" "${api#*:}"
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
