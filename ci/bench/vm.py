# SPDX-License-Identifier: Apache-2.0
"""Figures of the scheduler VM on devices: how many instructions a second, and what edge waits cost a compiler.
usage: vm.py GPULADDER JSON DEVICE[@MOST] ...     measures, up to MOST instances or waits, and writes all to JSON
       vm.py --table JSON ...              prints them as Markdown tables
       vm.py --plot SVG JSON ...           draws them; takes gnuplot"""
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
COUNTS = (1, 33, 256, 1024, 4096, 16384, 65536, 262144)
WAITS = (16, 64, 256, 1024)
CASES = os.path.join(HERE, "../../cases/bench")


def measure(tool, out, devices):
    records = []
    with tempfile.TemporaryDirectory() as folder:
        for wanted in devices:
            device, _, most = wanted.partition("@")
            cases = [word for n in COUNTS if not most or n <= int(most)
                     for word in ("--include", "vm-speed-%d-*" % n)]
            cases += [word for n in WAITS if not most or n <= int(most) for word in ("--include", "edge-wait-*-%d" % n)]
            subprocess.run([tool, "run", "--no-builtin", "--cases", CASES, "--device", device, "--output", folder] + cases,
                           stdout=subprocess.DEVNULL)
            with open(os.path.join(folder, "run.json")) as f:
                run = json.load(f)
            records += run["records"]
    figures = []
    for r in records:
        row = {"device": r["device"], "case": r["id"], "status": r["status"], "why": r.get("message", "")}
        for m in r.get("measures", []):
            row[m["name"]] = m["value"]
        figures.append(row)
    with open(out, "w") as f:
        json.dump(figures, f, indent=1)


def load(files):
    figures = []
    for name in files:
        with open(name) as f:
            figures += json.load(f)
    return figures


def speeds(figures):
    """(device, mode) -> {count: millions of instructions per second}"""
    lines = {}
    for r in figures:
        if r["case"].startswith("vm-speed-") and "instructions" in r:
            count, mode = r["case"][len("vm-speed-"):].split("-")
            lines.setdefault((r["device"], mode), {})[int(count)] = r["instructions"]
    return lines


def table(figures):
    lines = speeds(figures)
    counts = sorted({n for line in lines.values() for n in line})
    print("| device | mode |" + "".join(" %d |" % n for n in counts) + "\n|---|---|" + "---|" * len(counts))
    for (device, mode), line in sorted(lines.items()):
        print("| %s | %s |" % (device, mode) + "".join(" %.3g |" % line[n] if n in line else " |" for n in counts))
    alone = sorted(r["reference"] for r in figures if "reference" in r)
    if alone:
        print("\nReference, one core: %.3g (%.3g to %.3g)." % (alone[len(alone) // 2], alone[0], alone[-1]))
    builds = [r for r in figures if r["case"].startswith("edge-wait-") and "build" in r]
    if builds:
        print("\n| device | form | waits | build | first dispatch | CPU | binary |\n|---|---|---|---|---|---|---|")
    for r in builds:
        form, n = r["case"][len("edge-wait-"):].split("-")
        print("| %s | %s | %s | %.0f ms | %.0f ms | %.0f ms | %s |" % (r["device"], form, n, r["build"], r["first-dispatch"],
              r["cpu"], "%.0f KB" % r["binary"] if "binary" in r else "unknown"))


def plot(svg, figures):
    lines = speeds(figures)
    alone = sorted(r["reference"] for r in figures if "reference" in r)
    with tempfile.TemporaryDirectory() as folder:
        script = ["set terminal svg size 900,540", "set output '%s'" % svg, "set logscale xy", "set key outside",
                  "set xlabel 'instances'", "set ylabel 'million instructions per second'", "set grid"]
        parts = []
        for (device, mode), line in sorted(lines.items()):
            name = os.path.join(folder, "%s-%s" % (device, mode))
            with open(name, "w") as f:
                f.writelines("%d %g\n" % point for point in sorted(line.items()))
            parts.append("'%s' with linespoints title '%s %s'" % (name, device, mode))
        parts.append("%g title 'reference, one core'" % alone[len(alone) // 2])
        subprocess.run(["gnuplot"], input="\n".join(script) + "\nplot " + ", ".join(parts) + "\n", text=True, check=True)


if len(sys.argv) > 2 and sys.argv[1] == "--table":
    table(load(sys.argv[2:]))
elif len(sys.argv) > 3 and sys.argv[1] == "--plot":
    plot(sys.argv[2], load(sys.argv[3:]))
elif len(sys.argv) > 3:
    measure(sys.argv[1], sys.argv[2], sys.argv[3:])
else:
    sys.exit(__doc__)
