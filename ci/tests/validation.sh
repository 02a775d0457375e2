#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The whole Vulkan ladder under the Khronos validation layer, with core and synchronisation validation, across submits,
# too: not one message. Two cases that lack a barrier show that its silence means something. (Of two dispatches in one
# command buffer the layer does not say that they write the same buffer: it cannot know what a bound buffer is used for.)
# usage: validation.sh GPULADDER
set -eu
tool=$(realpath "$1")
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

skip() {
    echo "ok validation: skipped: $1"
    echo "1 passed, 0 failed"
    exit 0
}
if ! find /usr/share/vulkan/explicit_layer.d /usr/local/share/vulkan/explicit_layer.d /etc/vulkan/explicit_layer.d \
    -iname '*khronos_validation*' 2>/dev/null | grep -q .; then
    skip "the layer is not installed (package vulkan-validationlayers)"
fi
"$tool" devices -q --device vk 2>/dev/null | grep -q '^vk:' || skip "there is no Vulkan device here"

cat >"$out/wrong.xml" <<'XML'
<cases rung="3">
  <case id="no-barrier" order="explicit" gates="no" proves="nothing: the copy does not wait for the dispatch">
    <buffer name="data" type="uint" count="64" role="inout" fill="index"/>
    <buffer name="dst" type="uint" count="64"/>
    <dispatch kernel="increment" items="64" local="64"><set name="n" value="64"/></dispatch>
    <copy from="data" to="dst"/>
    <expect buffer="dst" oracle="expr" with="i+2"/>
  </case>
  <case id="no-barrier-between-submits" order="explicit" gates="no" proves="nothing: nor does a dispatch for one before the submit">
    <buffer name="data" type="uint" count="64" role="inout" fill="index"/>
    <dispatch kernel="increment" items="64" local="64"><set name="n" value="64"/></dispatch>
    <submit/>
    <dispatch kernel="increment" items="64" local="64"><set name="n" value="64"/></dispatch>
    <expect buffer="data" oracle="expr" with="i+3"/>
  </case>
</cases>
XML

export VK_INSTANCE_LAYERS=VK_LAYER_KHRONOS_validation
# More than one value only with ':'; after ',' the layer reads none of them.
VK_LAYER_ENABLES=VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT
export VK_LAYER_ENABLES=$VK_LAYER_ENABLES:VALIDATION_CHECK_ENABLE_SYNCHRONIZATION_VALIDATION_QUEUE_SUBMIT

climb() { # NAME OPTION...; red cases are the business of other tests
    local status=0
    timeout -k 5 170 "$tool" run --device vk --seed 1 --output "$out/$1" "${@:2}" >"$out/$1.log" 2>&1 || status=$?
    if [ "$status" -gt 1 ]; then
        tail -20 "$out/$1.log"
        echo "not ok validation: run ended with $status"
        echo "0 passed, 1 failed"
        exit 1
    fi
}
climb wrong --no-builtin --cases "$out/wrong.xml"
climb ladder --keep-going
python3 - "$out" <<'PY'
import collections, json, sys

def records(name):
    return json.load(open(f"{sys.argv[1]}/{name}/run.json"))["records"]

passed = failed = 0
def check(ok, what):
    global passed, failed
    passed, failed = passed + bool(ok), failed + (not ok)
    print(f"{'ok' if ok else 'not ok'} validation: {what}")

for r in records("wrong"):
    check(any("SYNC-HAZARD" in m for m in r.get("messages") or []), f"{r['device']}: {r['id']} draws a message")
by_device = collections.defaultdict(list)
for r in records("ladder"):
    by_device[r["device"]].append(r)
for device, of in by_device.items():
    ran = [r for r in of if r["status"] not in ("skip", "blocked", "missing")]
    loud = [r for r in ran if any("VUID" in m or "SYNC-" in m or "UNASSIGNED" in m or "alidation" in m
                                  for m in r.get("messages") or [])]
    for r in loud:
        print(f"not ok validation: {device}: {r['id']}: {r['messages'][0][:600]}")
    failed += len(loud)
    check(len(ran) > 100 and not loud, f"{device}: silent over {len(ran)} cases")
print(f"{passed} passed, {failed} failed")
sys.exit(failed or not passed)
PY
