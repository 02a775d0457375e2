#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The quick exam: one fault of each class, made and diagnosed, and clean look-alikes. What it must reach stands here: nothing is
# missed, no alarm is false, no cause is named wrongly for certain, and at most three are not named; and of two at once at
# least one is named, and for certain no third. Then the Vulkan faults on
# a device whose memory the host does not see: plants, uploads and reads are copies there. Last OpenCL through a loader that
# takes no layers: no fault can be made, which must not read as passed.
# usage: exam.sh GPULADDER
set -u
tool=$1
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
status=0
timeout 240 "$tool" exam --quick -q -j 2 --device host --device vk --device cl-pocl --output "$out" --json "$out/exam.json" \
    --junit "$out/junit.xml" >"$out/log" 2>&1 </dev/null || status=$?
timeout 120 "$tool" exam --quick --pairs 12 -q -j 2 --device host --output "$out/pairs" --json "$out/pairs.json" >"$out/log" 2>&1 \
    </dev/null
GPULADDER_MODE=discrete timeout 240 "$tool" exam --quick -q -j 2 --device vk-llvmpipe --output "$out/discrete" \
    --json "$out/discrete.json" >"$out/log" 2>&1 </dev/null
"$tool" report -q "$out" >>"$out/log" 2>&1
mkdir "$out/lib"
loader=$(ldconfig -p | awk '/libOpenCL\.so\.1 .*x86-64/ { print $NF; exit }')
sed 's/OPENCL_LAYERS/OPENCL_LAYERZ/g' "$loader" >"$out/lib/libOpenCL.so.1"
layerless=0
LD_LIBRARY_PATH=$out/lib timeout 60 "$tool" exam -q --device cl-pocl --class U4 --output "$out/layerless" \
    --json "$out/layerless.json" >"$out/layerless.txt" 2>&1 </dev/null || layerless=$?
python3 - "$out/exam.json" "$status" "$out/discrete.json" "$out/layerless.json" "$layerless" "$out/layerless.txt" "$out/run.json" \
    "$out/pairs.json" <<'EOF'
import json, sys
passed = failed = 0
def check(what, ok, more=""):
    global passed, failed
    passed, failed = passed + bool(ok), failed + (not ok)
    print(("ok" if ok else "not ok"), "exam:", what, more if not ok else "")
exam = json.load(open(sys.argv[1]))
faults = [f for f in exam["faults"] if "expected" in f]
clean = [f for f in exam["faults"] if "expected" not in f]
of = lambda verdict: [f["name"] for f in faults if f["verdict"] == verdict]
judged = [f for f in faults if f["verdict"] not in ("idle", "absent")]
check("a fault of at least 40 classes", len({f["expected"] for f in judged}) >= 40, len({f["expected"] for f in judged}))
check("none missed", not of("missed"), of("missed"))
check("no other cause named for certain", not of("wrong"), of("wrong"))
check("at most three without their cause", len(of("unnamed")) <= 3, of("unnamed"))
check("places right", all(f["place_right"] for f in faults if f["verdict"] in ("right", "open")))
check("clean look-alikes raise no alarm", len(clean) >= 6 and all(f["verdict"] == "clean" for f in clean),
      [f["name"] for f in clean if f["verdict"] != "clean"])
check("the exit status says the same", (sys.argv[2] == "0") == exam["passed"], sys.argv[2])
pairs = json.load(open(sys.argv[8]))["pairs"]["list"]
told = [p for p in pairs if p["verdict"] in ("both", "one")]
check("12 pairs on host, most of them told", len(pairs) == 12 and len(told) * 10 >= len(pairs) * 9,
      [(p["name"], p["device"], p["verdict"]) for p in pairs if p not in told])
wrong = [p for p in pairs if p["verdict"] == "wrong"]
check("of two faults at once no third is named for certain", not wrong, wrong)
check("a third of the pairs is named as both", 3 * len([p for p in pairs if p["verdict"] == "both"]) >= len(pairs))
discrete = [f for f in json.load(open(sys.argv[3]))["faults"] if "expected" in f]
of = lambda verdict: [f["name"] for f in discrete if f["verdict"] == verdict]
check("unseen memory: at least 25 faults struck", len([f for f in discrete if f["verdict"] != "idle"]) >= 25, len(discrete))
check("unseen memory: none missed", not of("missed") and not of("absent") and not of("not made"), of("missed"))
check("unseen memory: no other cause named for certain", not of("wrong"), of("wrong"))
check("unseen memory: at most two without their cause", len(of("unnamed")) <= 2, of("unnamed"))
layerless = json.load(open(sys.argv[4]))
check("no layers: every fault counts as not made", layerless["totals"]["not_made"] >= 5 and not layerless["totals"]["faults"],
      layerless["totals"])
check("no layers: neither passed nor exit status 0", not layerless["passed"] and sys.argv[5] != "0", sys.argv[5])
said = [line for line in open(sys.argv[6]) if "takes no layers" in line]
check("no layers: one line says which library and what to do", len(said) == 1 and "libOpenCL.so.1" in said[0] and
      "LD_LIBRARY_PATH" in said[0], said)
def lacks(r): # what of the decision the first 2,000 characters of its body have not, in this order
    d, text = r["diagnosis"], " ".join(r["body"][:2000].split())
    at, lacking = text.find(" answer "), []
    for part in [d["sentence"], "cause " + d["cause"] + " " + d["name"], "place " + d["place"], "for " + d["for"][0],
                 "or " + d["runner_up"] if "runner_up" in d else "", "next: "]:
        found = text.find(" ".join(part.split())[:150], at)
        lacking, at = lacking + [part] * (found < 0), max(at, found)
    return lacking
told = [r for r in json.load(open(sys.argv[7]))["records"] if r.get("body") and r.get("diagnosis", {}).get("cause")]
check("at least 20 answers as JUnit bodies", len(told) >= 20, len(told))
check("their first 2,000 characters carry the decision", not any(map(lacks, told)), [(r["id"], lacks(r)) for r in told if lacks(r)])
print(f"{passed} passed, {failed} failed")
sys.exit(failed != 0)
EOF
