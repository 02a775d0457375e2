#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Drivers that crash, hang or lie while they are loaded and asked: each is named as refused, and the others still appear.
# usage: icds.sh GPULADDER
set -eu
# shellcheck source=ci/tests/lib/check.sh
. "$(dirname "$0")/lib/check.sh"

# Why the driver file $1 was refused, from the list made for programs.
refused() { python3 -c 'import json,sys
print(*[i["refused"] for i in json.load(open(sys.argv[1]))["icd"] if i["file"].endswith(sys.argv[2]) and "refused" in i])' \
    "$tmp/devices.json" "$1"; }
says() { refused "$1" | grep -qi -- "$2" || { echo "says: $(refused "$1")"; false; }; }

mkdir "$tmp/vk" "$tmp/cl"
for mode in CRASH HANG COUNT LIE; do
    for api in vk cl; do
        ${CC:-cc} -shared -fPIC -O1 -Wall -Wextra -Werror -DMODE=$mode -o "$tmp/$api/$mode.so" ci/icds/bad_$api.c
    done
    printf '{"file_format_version": "1.0.0", "ICD": {"library_path": "%s", "api_version": "1.3.0"}}\n' \
        "$tmp/vk/$mode.so" >"$tmp/vk/$mode.json"
    echo "$tmp/cl/$mode.so" >"$tmp/cl/$mode.icd"
done
good_vk=$(ls /usr/share/vulkan/icd.d/lvp_icd*.json /etc/vulkan/icd.d/lvp_icd*.json 2>/dev/null | head -1 || true)
good_cl=$(ls /etc/OpenCL/vendors/pocl.icd 2>/dev/null || true)
[ -z "$good_cl" ] || cp "$good_cl" "$tmp/cl/"
export OCL_ICD_VENDORS="$tmp/cl"
export VK_DRIVER_FILES="$tmp/vk/CRASH.json:$tmp/vk/HANG.json:$tmp/vk/COUNT.json:$tmp/vk/LIE.json${good_vk:+:$good_vk}"
export VK_ICD_FILENAMES=$VK_DRIVER_FILES

start=$(date +%s)
check "devices ends by itself" timeout -k 5 60 "$tool" devices --timeout 3 --json "$tmp/devices.json"
check "and takes no longer than one hanging driver may" test $(($(date +%s) - start)) -lt 12
for kind in vk:json cl:icd; do
    for mode in CRASH:SIGSEGV "HANG:does not answer within 3 s" COUNT:. LIE:.; do
        check "${kind%:*} driver ${mode%%:*}: refused with the reason" says "${mode%%:*}.${kind#*:}" "${mode#*:}"
    done
done
devices() { python3 -c 'import json,sys; print(*[d["slug"] for d in json.load(open(sys.argv[1]))["devices"]])' "$tmp/devices.json"; }
check "the host is there" grep -qw host <(devices)
[ -z "$good_vk" ] || check "the good Vulkan driver is there" grep -q vk-llvmpipe <(devices)
[ -z "$good_cl" ] || check "the good OpenCL driver is there" grep -q cl-pocl <(devices)
timeout -k 5 60 "$tool" run --device host --only environment --timeout 3 --output "$tmp/run" >/dev/null 2>&1 || true
check "one device is asked for: other drivers are not started" sh -c "! grep -q refused '$tmp/run/run.json'"

# ---- plugins ----

for abi in 1 99; do
    ${CC:-cc} -shared -fPIC -O1 -Wall -Wextra -Werror -DABI=${abi}u -o "$tmp/twins$abi.so" ci/icds/twins.c
done
export OCL_ICD_VENDORS="$tmp/none" VK_DRIVER_FILES="$tmp/none" VK_ICD_FILENAMES="$tmp/none"
"$tool" devices --plugin "$tmp/twins1.so" --json "$tmp/devices.json" >/dev/null 2>&1 || true
slug() { python3 -c 'import json,sys; print(*[d["slug"] for d in json.load(open(sys.argv[1]))["devices"] if d["spec"] == sys.argv[2]])' \
    "$tmp/devices.json" "$1"; }
check "two equal devices are told apart in the order of their bus" test "$(slug twin:0) $(slug twin:1)" = "twin-twin-gpu-2 twin-twin-gpu-1"
status=0
"$tool" run --plugin "$tmp/twins1.so" --device 'revision 1' --only environment --output "$tmp/run" >/dev/null 2>&1 || status=$?
check "a device that does not open fails the run" test "$status" = 1
check "with the call and its result" grep -q 'does not open: twinOpen: TWIN_BUSY' "$tmp/run/TEST-gpuladder-twin-twin-gpu-1.xml"
"$tool" devices --plugin "$tmp/twins99.so" --json "$tmp/devices.json" >/dev/null 2>&1 || true
check "a plugin for another version of backend.h is refused" says twins99.so "version 99"

if [ -n "$good_vk" ]; then
    VK_LAYER_PATH=$(dirname "$(realpath "$tool")")/layers
    export VK_LAYER_PATH VK_DRIVER_FILES=$good_vk VK_ICD_FILENAMES=$good_vk
    VK_INSTANCE_LAYERS=VK_LAYER_GPULADDER_fault GPULADDER_FAULT=E1.vk-hidden-device \
        "$tool" devices --json "$tmp/devices.json" >/dev/null 2>&1 || true
    check "a device that a layer hides is named, and the layer accused" says "$good_vk" "without layers it offers llvmpipe"
fi

check "no worker is left" sh -c "! pgrep -f '_[_]worker [a-z]* $tmp'"

total
