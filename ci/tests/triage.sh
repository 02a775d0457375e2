#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The transcripts of docs/triage.md: each command still gives the sentence and the cause that stand below it.
# usage: triage.sh GPULADDER
set -eu
tool=$(realpath "$1")
cd "$(dirname "$0")/../.."
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
python3 - "$tool" "$out" <<'PY'
import re, shlex, subprocess, sys
tool, out = sys.argv[1:]
passed = failed = 0
devices = subprocess.run([tool, "devices", "-q"], capture_output=True, text=True).stdout + " host"
for block in re.findall(r"^    \$ gpuladder .*\n(?:    .*\n|\n(?=    ))*", open("docs/triage.md").read(), re.M):
    command = block.splitlines()[0][16:]
    words = shlex.split(command)
    device = words[words.index("--device") + 1]
    expected = re.search(r"^      answer   (.*(?:\n {15}.*)*)\n      cause    (\w\d)", block, re.M)
    if not expected:
        print("not ok triage: no answer stands below: " + command)
        failed += 1
        continue
    if device not in devices or (device == "vk-llvmpipe" and "22.3" not in devices and
                                 "22.3" not in subprocess.run([tool, "devices"], capture_output=True, text=True).stdout):
        print("ok triage: skipped, this machine has no such device: " + command)
        passed += 1
        continue
    run = subprocess.run([tool, *words, "--output", out], capture_output=True, text=True, timeout=120)
    got = re.search(r"^  answer   (.*(?:\n {11}.*)*)\n  cause    (\w\d)", run.stdout, re.M)
    same = lambda m: (" ".join(m.group(1).split()), m.group(2)) if m else None
    if same(got) == same(expected):
        print("ok triage: " + command)
        passed += 1
    else:
        print("not ok triage: %s\n    says %s, the guide %s" % (command, same(got), same(expected)))
        failed += 1
if passed + failed < 5:
    print("not ok triage: %d transcripts, expected at least 5" % (passed + failed))
    failed += 1
print("%d passed, %d failed" % (passed, failed))
sys.exit(failed > 0)
PY
