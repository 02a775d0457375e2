# SPDX-License-Identifier: Apache-2.0
# Runs the ladder's cases on a driver with each defect of a table and says how good the answers are; drivers.sh and mesa.sh
# bring the drivers. GPULADDER_SICK names the defect. A line of the table is a defect when it begins with vk or cl.
# usage: score.py TABLE GPULADDER FOLDER [--markdown] [DEFECT...]
import concurrent.futures, json, os, subprocess, sys
listed, tool, out, wanted = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]
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
for line in open(listed):
    if line.startswith(("vk ", "cl ")):
        head, cases, true, least = (part.split() for part in line.split("|"))
        if not wanted or head[1] in wanted:
            rows.append((head[0], head[1], cases, true, least[0]))
if not rows:
    sys.exit(f"drivers: {' '.join(wanted)}: no such defect in {listed}")
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
