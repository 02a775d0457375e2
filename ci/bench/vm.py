# SPDX-License-Identifier: Apache-2.0
"""Figures of the scheduler VM on devices: how many instructions a second, and what edge waits cost a compiler.
usage: vm.py GPULADDER JSON [DEVICE[@MOST] ...]    measures, up to MOST instances or waits, and writes all to JSON; without
                                      devices those of this machine that need no GPU, each as far as it gets in minutes
       vm.py --table JSON ...         prints them as Markdown tables
       vm.py --plot SVG JSON ...      draws them; takes gnuplot"""
import glob
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
COUNTS = (1, 33, 256, 1024, 4096, 16384, 65536, 262144)
WAITS = (16, 64, 256, 1024)
CASES = os.path.join(HERE, "../../cases/bench")


def software():
    """Devices without a GPU, where they are installed: name, as --device says it, environment, most instances"""
    for icd in glob.glob("/usr/share/vulkan/icd.d/lvp_icd*.json")[:1]:
        yield "lavapipe", "vk:0", {"VK_ICD_FILENAMES": icd}, 1024
    for name, file, most in (("PoCL", "pocl", 16384), ("rusticl", "rusticl", 256)):
        icd = "/etc/OpenCL/vendors/%s.icd" % file
        if os.path.exists(icd):
            yield name, "cl:0:0", {"OCL_ICD_VENDORS": icd, "RUSTICL_ENABLE": "llvmpipe"}, most
    yield "host", "host", {}, 4096


def run(tool, device, env, cases):
    """Runs the cases of these patterns: one dictionary each, with its measures by name"""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([tool, "run", "--no-builtin", "--cases", CASES, "--device", device, "--keep-going", "--output", folder] +
                       [word for case in cases for word in ("--include", case)], env=env, stdout=subprocess.DEVNULL)
        with open(os.path.join(folder, "run.json")) as f:
            records = json.load(f)["records"]
    return [{"device": r["device"], "case": r["id"], "status": r["status"], "why": r.get("message", ""),
             "seconds": (r.get("time_ns") or 0) / 1e9, **{m["name"]: m["value"] for m in r.get("measures", [])}} for r in records]


def measure(tool, out, devices):
    todo = [(w.partition("@")[0], {}, int(w.partition("@")[2] or COUNTS[-1])) for w in devices] or [d[1:] for d in software()]
    figures = []
    for device, env, most in todo:
        figures += run(tool, device, {**os.environ, **env}, ["vm-speed-%d-*" % n for n in COUNTS if n <= most] +
                       ["edge-wait-*-%d" % n for n in WAITS if n <= most])
    with open(out, "w") as f:
        json.dump(figures, f, indent=1)


def compiling(figures):
    """Of each edge-wait figure: device, form, waits, build ms or None, first dispatch ms or None, words about the rest"""
    for r in figures:
        if not r["case"].startswith("edge-wait-"):
            continue
        form, n = r["case"][len("edge-wait-"):].split("-")
        if "build" in r:
            size = "binary %.0f KB" % r["binary"] if "binary" in r else "binary unknown"
            yield r["device"], form, int(n), r["build"], r["first-dispatch"], "%.0f ms of CPU, %s" % (r["cpu"], size)
        elif r["status"] == "timeout":
            yield r["device"], form, int(n), None, None, "over %.0f s" % r["seconds"]
        else:
            yield r["device"], form, int(n), None, None, "%s: %s" % (r["status"], r["why"])


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
    builds = list(compiling(figures))
    if builds:
        print("\n| device | form | waits | build | first dispatch | |\n|---|---|---|---|---|---|")
    for device, form, n, build, first, rest in builds:
        times = ["-" if ms is None else "%.0f ms" % ms for ms in (build, first)]
        print("| %s | %s | %d | %s | %s | %s |" % (device, form, n, times[0], times[1], rest))


def plot(svg, figures):
    lines = speeds(figures)
    alone = sorted(r["reference"] for r in figures if "reference" in r)
    with tempfile.TemporaryDirectory() as folder:
        script = ["set terminal svg size 900,540", "set output '%s'" % svg, "set logscale xy", "set key outside",
                  "set xlabel 'instances'", "set ylabel 'million instructions per second'", "set grid"]
        parts, devices = [], sorted({device for device, _ in lines})
        for (device, mode), line in sorted(lines.items()):
            name = os.path.join(folder, "%s-%s" % (device, mode))
            with open(name, "w") as f:
                f.writelines("%d %g\n" % point for point in sorted(line.items()))
            colour, point = devices.index(device) + 1, (4, 6, 8)[("direct", "table", "packed").index(mode)]
            parts.append("'%s' with linespoints lc %d pt %d title '%s %s'" % (name, colour, point, device, mode))
        parts.append("%g lc rgb 'black' title 'reference, one core'" % alone[len(alone) // 2])
        subprocess.run(["gnuplot"], input="\n".join(script) + "\nplot " + ", ".join(parts) + "\n", text=True, check=True)


def main():
    if len(sys.argv) > 2 and sys.argv[1] == "--table":
        table(load(sys.argv[2:]))
    elif len(sys.argv) > 3 and sys.argv[1] == "--plot":
        plot(sys.argv[2], load(sys.argv[3:]))
    elif len(sys.argv) > 2 and not sys.argv[1].startswith("-"):
        measure(sys.argv[1], sys.argv[2], sys.argv[3:])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
