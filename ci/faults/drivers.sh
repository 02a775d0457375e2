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
        ${CC:-cc} -shared -fPIC -O1 -Wall -Wextra -Werror -o "$out/libsick_$api.so" ci/icds/sick_$api.c -ldl
    fi
done
echo '{"file_format_version": "1.0.0", "ICD": {"library_path": "'"$out"'/libsick_vk.so", "api_version": "1.3.0"}}' >"$out/sick.json"
mkdir "$out/vendors"
echo "$out/libsick_cl.so" >"$out/vendors/sick.icd"
# What was compiled by the healthy driver must not serve the sick one, nor the other way round.
GPULADDER_CACHE="" VK_ICD_FILENAMES=$out/sick.json VK_DRIVER_FILES=$out/sick.json OCL_ICD_VENDORS=$out/vendors \
    python3 - "$tool" "$out" "$@" <<'PY'
import concurrent.futures, json, os, subprocess, sys
tool, out, wanted = sys.argv[1], sys.argv[2], sys.argv[3:]
markdown = "--markdown" in wanted
wanted = [w for w in wanted if w != "--markdown"]
order = ["missed", "wrong", "unnamed", "open", "named"]

def answer(diagnosis, true):
    """How good it is, the classes it names, and its words."""
    cause, other = diagnosis.get("cause"), diagnosis.get("runner_up")
    if diagnosis["sure"] != "open":
        return ("named" if cause in true else "wrong"), {cause}, f"{cause} {diagnosis['sure']}"
    told = [c for c in (cause, other) if c]
    return ("open" if set(told) & set(true) else "unnamed"), set(told), " or ".join(told) or "none"

def run(row):
    api, defect, cases, true, least = row
    env = os.environ | {"GPULADDER_SICK": defect.replace("+", " "), "POCL_CACHE_DIR": f"{out}/cache-{defect}"}
    os.makedirs(env["POCL_CACHE_DIR"], exist_ok=True)
    command = [tool, "run", "-q", "--device", f"{api}:0", "--keep-going", "--seed", "1", "--timeout", "60",
               "--output", f"{out}/{api}-{defect}"]
    for case in cases:
        command += ["--only", case]
    records = []
    try:
        subprocess.run(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                       timeout=300)
        records = json.load(open(f"{out}/{api}-{defect}/run.json"))["records"]
    except (subprocess.TimeoutExpired, OSError):
        pass
    if all(r["status"] in ("skip", "blocked", "missing") for r in records):
        return row, "missed", "no case ran"
    said, told, verdict = [], set(), "missed"
    for r in records:
        if r["status"] in ("pass", "skip", "blocked", "missing") or r.get("known") or not r.get("diagnosis"):
            continue
        grade, classes, words = answer(r["diagnosis"], true)
        told |= classes
        said.append(f"{r['id']}: {words}")
        if verdict == "missed" or grade == "wrong":
            verdict = grade
    if "+" in defect and verdict in ("named", "open") and not set(true) <= told:
        verdict = "unnamed"
    return row, verdict, "; ".join(said)

rows = []
for line in open("ci/faults/drivers.txt"):
    if not line.startswith("#"):
        head, cases, true, least = (part.split() for part in line.split("|"))
        if not wanted or head[1] in wanted:
            rows.append((head[0], head[1], cases, true, least[0]))
if not rows:
    sys.exit(f"drivers: {' '.join(wanted)}: no such defect in ci/faults/drivers.txt")
counts, failed, table = dict.fromkeys(reversed(order), 0), 0, []
with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    for (api, defect, _, true, least), verdict, said in pool.map(run, rows):
        ok = order.index(verdict) >= order.index(least)
        failed += not ok
        counts[verdict] += 1
        table.append(f"| {api} {defect} | {' '.join(true)} | {verdict} | {said} |")
        print("ok" if ok else "not ok", f"drivers: {api} {defect} ({' '.join(true)}): {verdict}: {said}", flush=True)
print("drivers:", ", ".join(f"{n} {k}" for k, n in counts.items()))
if markdown:
    print("\n| defect | true of it | verdict | answers |\n|---|---|---|---|", *table, sep="\n")
print(f"{len(rows) - failed} passed, {failed} failed")
sys.exit(failed != 0)
PY
