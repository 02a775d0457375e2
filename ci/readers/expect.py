# SPDX-License-Identifier: Apache-2.0
"""What a reader must find in a junit.xml, worked out from the run.json beside it: prints {file: {suite: counts}}."""
import json
import pathlib
import sys


def kind(record):
    if record["status"] == "pass":
        return "failures" if record.get("unexpected") else None
    if not record["bad"]:
        return "skipped"
    return "failures" if record["status"] == "fail" else "errors"


def expect(path):
    run = json.loads(path.read_text())
    suites = {d["slug"]: dict(tests=0, failures=0, errors=0, skipped=0) for d in run["run"].get("devices", [])}
    for record in run["records"]:
        counts = suites[record["device"]]
        counts["tests"] += 1
        if kind(record):
            counts[kind(record)] += 1
    for counts in suites.values() if suites else [suites.setdefault("none", dict(tests=0, failures=0, errors=0, skipped=0))]:
        if not counts["tests"]:  # a suite is never empty
            counts["tests"] = 1
            counts["skipped" if run["end"]["complete"] else "errors"] = 1
    return suites


print(json.dumps({str(p.with_name("junit.xml")): expect(p) for p in map(pathlib.Path, sys.argv[1:])}))
