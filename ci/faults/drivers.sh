#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Defects inside a driver, not in a layer, and none that the diagnosis was made from: ci/icds/sick_vk.c in front of lavapipe,
# sick_cl.c in front of PoCL. drivers.txt says what is true of each; an answer that is sure of something else fails.
# usage: drivers.sh GPULADDER [--markdown] [DEFECT...]
# GPULADDER_REAL_VK and GPULADDER_REAL_CL name the library of another driver to put them in front of; SICK a folder with
# libsick_vk.so and libsick_cl.so, where there is no compiler.
set -eu
tool=$(realpath "$1")
shift
cd "$(dirname "$0")/../.."
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
for api in vk cl; do
    if [ -n "${SICK:-}" ]; then
        cp "$SICK/libsick_$api.so" "$out"
    else
        ${CC:-cc} -shared -fPIC -O1 -Wall -Wextra -Werror -o "$out/libsick_$api.so" ci/icds/sick_$api.c -ldl -lpthread
    fi
done
echo '{"file_format_version": "1.0.0", "ICD": {"library_path": "'"$out"'/libsick_vk.so", "api_version": "1.3.0"}}' >"$out/sick.json"
mkdir "$out/vendors"
echo "$out/libsick_cl.so" >"$out/vendors/sick.icd"
# What was compiled by the healthy driver must not serve the sick one, nor the other way round.
GPULADDER_CACHE="" VK_ICD_FILENAMES=$out/sick.json VK_DRIVER_FILES=$out/sick.json OCL_ICD_VENDORS=$out/vendors \
    python3 ci/faults/score.py ci/faults/drivers.txt "$tool" "$out" "$@"
