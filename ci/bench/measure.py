# SPDX-License-Identifier: Apache-2.0
"""Runs gpuladder and the minimal programs in alternation, compares with the goals and prints a table. See ./run."""
import glob
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time

import vm

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = sys.argv[1]
SECTIONS = sys.argv[2:] or ["vulkan", "opencl", "ladder", "vvp", "vm", "compile"]
WORK = os.path.join(BUILD, "bench")
TOOL = os.path.join(BUILD, "gpuladder")
MISSION = ["thread-id-1d", "vector-add", "reduction-static-local", "reduction-dynamic-local", "matmul-naive",
           "matmul-tiled", "unified-in-place-*"]
PAIRS = 15
rows = []

CASES = """<?xml version="1.0" encoding="UTF-8"?>
<cases rung="2">
  <case id="bench-{a}{b}" proves="a constant given when the kernel was built arrives">
    <axis name="a" values="%s"/>
    <axis name="b" values="%s"/>
    <let name="n" value="16"/>
    <let name="k" value="{a}*10+{b}+1"/>
    <buffer name="dst" type="uint" count="n*8"/>
    <dispatch kernel="constants" items="n,1,1" local="16,1,1" const0="k" const1="7"/>
    <expect buffer="dst" oracle="expr" with="i%%8==0 ? k : i%%8==1 ? 7 : i%%8==2 ? 16 : i%%8==3 ? 1 : i%%8==4 ? 1 :
            i%%8==5 ? k*(i/8+1)+7 : i%%8==6 ? i/8 : keep"/>
  </case>
</cases>
"""


DIGITS = "0 1 2 3 4 5 6 7 8 9"


def write_cases(name, tens, ones):
    path = os.path.join(WORK, name)
    with open(path, "w") as f:
        f.write(CASES % (tens, ones))
    return path


def note(text):
    print(text, file=sys.stderr, flush=True)


def environment(**more):
    """The caller's, with caches of our own: warm means warmed here, by the first run of each command."""
    env = {k: v for k, v in os.environ.items() if k not in ("VK_INSTANCE_LAYERS", "OPENCL_LAYERS", "GPULADDER_CACHE")}
    env["XDG_CACHE_HOME"] = os.path.abspath(os.path.join(WORK, "cache"))
    env.update(more)
    return env


def timed(command, env, right=(0,)):
    start = time.monotonic()
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600)
    took = time.monotonic() - start
    if done.returncode not in right:
        sys.exit("%s\nended with %d\n%s" % (" ".join(command), done.returncode, done.stdout.decode(errors="replace")[-3000:]))
    return took


def ladder(*more, name="out"):
    return [TOOL, "run", "--output", os.path.join(WORK, name), "--seed", "1", "--color", "never", *more]


def records(name="out"):
    with open(os.path.join(WORK, name, "run.json")) as f:
        return json.load(f)["records"]


def need_passes(n, name="out"):
    status = [r["status"] for r in records(name)]
    if status != ["pass"] * n:
        sys.exit("expected %d passes, got %s" % (n, {s: status.count(s) for s in status}))


def row(what, measured, unit, goal, more="", least=False):
    """goal None: for information; least: as much or more is wanted."""
    word = "" if goal is None else "PASS" if (measured >= goal if least else measured <= goal) else "FAIL"
    sign = ">=" if least else "<="
    rows.append((what, "%.3g %s" % (measured, unit), "" if goal is None else "%s %g %s" % (sign, goal, unit), word, more))


def unmeasured(what, why):
    rows.append((what, "-", "", "not measured", why))


def quartiles(values):
    q = statistics.quantiles(values, n=4)
    return "%.3g to %.3g" % (q[0], q[2])


def compare(what, ours, theirs, env, goal):
    """Both commands in turn; the median of the ratios of neighbours."""
    for command in (ours, theirs, ours):
        timed(command, env)
    a, b = [], []
    for i in range(PAIRS):
        if i % 2:
            a.append(timed(ours, env))
            b.append(timed(theirs, env))
        else:
            b.append(timed(theirs, env))
            a.append(timed(ours, env))
    ratios = [x / y for x, y in zip(a, b)]
    row(what, statistics.median(ratios), "x", goal, "%.1f ms against %.1f ms; middle half of the ratios %s" %
        (statistics.median(a) * 1e3, statistics.median(b) * 1e3, quartiles(ratios)))


def vulkan():
    icd = glob.glob("/usr/share/vulkan/icd.d/lvp_icd*.json")
    if not icd:
        return unmeasured("Vulkan", "lavapipe is not installed")
    env = environment(VK_ICD_FILENAMES=icd[0])
    cases = write_cases("cases.xml", DIGITS, DIGITS)
    spirv = os.path.join(BUILD, "kernels/constants.spv")
    low = os.path.join(WORK, "vk_min")
    many = ladder("--device", "vk:0", "--cases", cases, "--include", "bench-*")
    timed(many, env)
    need_passes(100)
    compare("100 distinct Vulkan cases, isolation on", many, [low, spirv, "100"], env, 1.5)
    one = ladder("--device", "vk:0", "--cases", write_cases("case.xml", "0", "0"), "--include", "bench-*")
    timed(one, env)
    need_passes(1)
    compare("one Vulkan case as a whole process", one, [low, spirv, "1"], env, 1.5)
    swept = ladder("--device", "vk:0", "--only", "thread-id-1d")
    compare("  for comparison: thread-id-1d, swept to 1M invocations", swept, [low, spirv, "1"], env, None)


def opencl():
    sets = [("PoCL", "pocl", {}), ("rusticl", "rusticl", {"RUSTICL_ENABLE": "llvmpipe"})]
    many, single = write_cases("cases.xml", DIGITS, DIGITS), write_cases("case.xml", "0", "0")
    for name, file, more in sets:
        icd = "/etc/OpenCL/vendors/%s.icd" % file
        if not os.path.exists(icd):
            unmeasured("a warm OpenCL case on " + name, icd + " is not there")
            continue
        env = environment(OCL_ICD_VENDORS=icd, **more)
        long = ladder("--device", "cl:0:0", "--cases", many, "--include", "bench-*")
        short = ladder("--device", "cl:0:0", "--cases", single, "--include", "bench-*")
        timed(long, env)
        timed(short, env)
        apart, own = [], []
        for _ in range(7):
            apart.append((timed(long, env) - timed(short, env)) / 99 * 1e3)
            if not own:
                timed(long, env)
                need_passes(100)
            timed(long, env)
            own += [r["time_ns"] / 1e6 for r in records()[1:]]
        row("a warm OpenCL case on %s, by its record" % name, statistics.median(own), "ms", 3,
            "middle half %s" % quartiles(own))
        row("a warm OpenCL case on %s, by the clock" % name, statistics.median(apart), "ms", 3,
            "(100 cases - 1 case) / 99; middle half %s" % quartiles(apart))
        source, low = os.path.join(BUILD, "kernels/constants.cl"), os.path.join(WORK, "cl_min")
        for n in ("1", "21"):
            timed([low, source, n], env)
        least = [(timed([low, source, "21"], env) - timed([low, source, "1"], env)) / 20 * 1e3 for _ in range(3)]
        row("  for comparison: the minimal program's, from source", statistics.median(least), "ms", None)


def peak(command, env):
    """Largest resident set of the parent process alone, in MB: its own high-water mark, looked at until it ends."""
    child = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    most = 0
    while child.poll() is None:
        try:
            with open("/proc/%d/status" % child.pid) as f:
                most = max([most] + [int(line.split()[1]) for line in f if line.startswith("VmHWM")])
        except OSError:
            pass
        time.sleep(0.001)
    return most * 1024 / 1e6


def whole():
    icd = glob.glob("/usr/share/vulkan/icd.d/lvp_icd*.json")
    if not icd or not os.path.exists("/etc/OpenCL/vendors/pocl.icd"):
        return unmeasured("the ladder", "it takes lavapipe and PoCL")
    env = environment(VK_ICD_FILENAMES=icd[0], OCL_ICD_VENDORS="/etc/OpenCL/vendors/pocl.icd")
    both = ["--device", "vk:0", "--device", "cl:0:0"]
    seen = lambda: " ".join("%d %s" % (n, s) for s, n in sorted(count.items()))
    for jobs in ("2", "1"):
        command = ladder(*both, "--jobs", jobs)
        timed(command, env, (0, 1))
        times = [timed(command, env, (0, 1)) for _ in range(3)]
        count = {}
        for r in records():
            count[r["status"]] = count.get(r["status"], 0) + 1
        row("the whole ladder on lavapipe and PoCL, --jobs " + jobs, statistics.median(times), "s", 20 if jobs == "2" else None, seen())
    mission = ladder(*both, "--jobs", "2", *[word for m in MISSION for word in ("--include", m)])
    timed(mission, env, (0, 1))
    times = [timed(mission, env, (0, 1)) for _ in range(5)]
    count = {}
    for r in records():
        count[r["status"]] = count.get(r["status"], 0) + 1
    row("the mission probes alone on both", statistics.median(times), "s", 3, seen())
    row("memory of the parent over the whole ladder", peak(ladder(*both, "--jobs", "2"), env), "MB", 30)


def output(command):
    """What a command prints, and its user time in seconds: both programs have one thread."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    text = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=600, check=True).stdout
    return text, resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before


def vvp():
    if not shutil.which("iverilog") or not shutil.which("vvp"):
        return unmeasured("the VM's reference against vvp", "iverilog is not installed")
    for design, cycles in (("pico", 4000), ("counters", 20000)):
        twin = {}
        for language in ("sva", "v"):
            twin[language] = os.path.join(WORK, design + "." + language)
            with open(twin[language], "w") as f:
                subprocess.run([sys.executable, os.path.join(HERE, "twins.py"), design, language, str(cycles)], stdout=f,
                               check=True)
        theirs = ["vvp", "-n", os.path.join(WORK, design + ".vvp")]
        subprocess.run(["iverilog", "-g2005", "-s", "top", "-o", theirs[-1], twin["v"]], check=True)
        ratios = []
        for i in range(7):
            pair = [[TOOL, "vm", "run", "-q", twin["sva"]], theirs]
            (a, ours_s), (b, theirs_s) = [output(c) for c in pair] if i % 2 else [output(c) for c in pair[::-1]][::-1]
            ours_lines = [line for line in a.splitlines() if not line.startswith("$finish")]
            if ours_lines != b.splitlines():
                sys.exit("%s: the VM prints\n%s\nbut vvp prints\n%s" % (design, a, b))
            ratios.append(theirs_s / ours_s)
        row("the VM's reference, times as fast as vvp: " + design, statistics.median(ratios), "x", 3,
            "user time, %d cycles, same values; middle half %s" % (cycles, quartiles(ratios)), least=True)


def vm_cases(cases):
    """Figures of each device that they name patterns of cases for"""
    for name, device, env, _ in vm.software():
        if name in cases:
            note("measuring: the VM on " + name)
            yield from vm.run(TOOL, device, environment(**env), cases[name])


def vm_speed():
    for r in vm_cases({"lavapipe": ["vm-speed-4096-direct"], "PoCL": ["vm-speed-4096-*"]}):
        what = "the VM on %s, 4,096 instances, %s: times one core's reference" % (r["device"], r["case"].split("-")[-1])
        goal = 1 if r["device"] == "cl-pocl" else None
        if "ratio" in r:
            row(what, r["ratio"], "x", goal, "%.3g M/s against %.3g M/s" % (r["instructions"], r["reference"]), least=True)
        else:
            late = "over %.0f s" % r["seconds"] if r["status"] == "timeout" else "-"
            rows.append((what, late, "", "FAIL" if goal else "", r["why"]))


def vm_compile():
    for device, form, n, build, first, rest in vm.compiling(vm_cases({name: ["edge-wait-*"] for name in ("lavapipe", "PoCL")})):
        what = "%d edge waits as a %s on %s: build and first dispatch" % (n, form, device)
        if build is None:
            rows.append((what, rest, "", "", ""))
        else:
            row(what, (build + first) / 1e3, "s", None, "%.0f + %.0f ms; %s" % (build, first, rest))


def main():
    os.makedirs(WORK, exist_ok=True)
    note("load %s on %d cores; figures mean little unless the machine is idle" %
         (" ".join("%.1f" % x for x in os.getloadavg()), os.cpu_count()))
    for section in SECTIONS:
        note("measuring: " + section)
        {"vulkan": vulkan, "opencl": opencl, "ladder": whole, "vvp": vvp, "vm": vm_speed, "compile": vm_compile}[section]()
    width = [max(len(r[i]) for r in rows) for i in range(4)]
    for r in rows:
        print(("%-*s  %*s  %-*s  %-*s  %s" % (width[0], r[0], width[1], r[1], width[2], r[2], width[3], r[3], r[4])).rstrip())
    missed = sum(r[3] in ("FAIL", "not measured") for r in rows)
    print("%d goals met, %d missed" % (sum(r[3] == "PASS" for r in rows), missed))
    return 1 if missed else 0


sys.exit(main())
