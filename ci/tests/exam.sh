#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The quick exam: one fault of each class, made and diagnosed, and clean look-alikes. What it must reach stands here: nothing is
# missed, no alarm is false, no cause is named wrongly for certain, and at most three are not named.
# usage: exam.sh GPULADDER
set -u
tool=$1
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
status=0
timeout 240 "$tool" exam --quick -q -j 2 --device host --device vk --device cl-pocl --output "$out" --json "$out/exam.json" \
    --junit "$out/junit.xml" >"$out/log" 2>&1 </dev/null || status=$?
python3 - "$out/exam.json" "$status" <<'EOF'
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
print(f"{passed} passed, {failed} failed")
sys.exit(failed != 0)
EOF
