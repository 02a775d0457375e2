# SPDX-License-Identifier: Apache-2.0
"""Reads the files named in the JSON of expect.py (first argument) with junitparser, and prints ok and not ok lines."""
import json
import sys

import junitparser


def read(path):
    suites = {}
    for suite in junitparser.JUnitXml.fromfile(path):
        counts = suites[suite.name] = dict(tests=0, failures=0, errors=0, skipped=0)
        for case in suite:
            counts["tests"] += 1
            for result in case.result:
                name = {junitparser.Failure: "failures", junitparser.Error: "errors", junitparser.Skipped: "skipped"}.get(type(result))
                if name:
                    counts[name] += 1
                if name in ("failures", "errors") and not result.text.startswith(result.message + "\n"):
                    raise ValueError(f"{case.name}: the body does not begin with the message")
            if not 0 <= case.time < 1e18 or not case.classname.startswith("ladder."):
                raise ValueError(f"{case.name}: time {case.time}, classname {case.classname}")
        for attribute in ("tests", "failures", "errors", "skipped"):
            if getattr(suite, attribute) != counts[attribute]:
                raise ValueError(f"{suite.name}: {attribute} says {getattr(suite, attribute)}, counted {counts[attribute]}")
    return suites


failed = 0
for path, want in json.load(open(sys.argv[1])).items():
    try:
        got = read(path)
    except Exception as why:  # whatever a reader dies of is our fault
        got = f"{type(why).__name__}: {why}"
    failed += got != want
    print("ok" if got == want else "not ok", f"readers: junitparser {path}", "" if got == want else f"# {got}, expected {want}")
sys.exit(failed != 0)
