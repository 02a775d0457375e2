#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The layers of faults over programs that are none of ours: one vector addition per API, in every form that the API has for
# each of its steps (ci/faults/vk_forms.c, cl_forms.c). With no fault on it is right in every form and every mode; with a
# fault on that one of its steps can meet it is wrong in every form of that step.
# usage: forms.sh GPULADDER [--all] [vk|cl]    --all: every mode by itself, too, and forms that meet each other
set -eu
layers=$(realpath "$(dirname "$1")/layers")
shift
cd "$(dirname "$0")/../.."
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
flags="-std=gnu11 -O1 -Wall -Wextra -Wno-missing-field-initializers"
# shellcheck disable=SC2086 # lists of words
${CC:-cc} $flags -o "$out/vk_forms" ci/faults/vk_forms.c -l:libvulkan.so.1
# shellcheck disable=SC2086
${CC:-cc} $flags -o "$out/cl_forms" ci/faults/cl_forms.c -l:libOpenCL.so.1
glslangValidator --quiet -V --target-env vulkan1.2 -o "$out/bound.spv" ci/faults/forms.comp
glslangValidator --quiet -V --target-env vulkan1.2 -DADDRESSES -o "$out/addresses.spv" ci/faults/forms.comp
python3 - "$layers" "$out" "$@" <<'PY'
import concurrent.futures, itertools, os, re, subprocess, sys
layers, out, wanted = sys.argv[1], sys.argv[2], sys.argv[3:]
everything = "--all" in wanted
wanted = [w for w in wanted if w != "--all"] or ["vk", "cl"]

# A fault, and the steps in each form of which it strikes, with what else is needed; -step=form: not in this one.
faults = {"vk": """
U1.vk-no-copy           upload
U4.vk-copy-cap          upload
Z1.vk-copy-size         upload
U2.vk-tail-freed:part=0 upload
M2.vk-small-first       upload
S3.vk-copies-first      upload
U3.vk-no-readback       upload
S3.vk-no-barrier        order
D1.vk-dropped           run record names
D2.vk-one-group         run -run=indirect
B4.vk-zero              run record args
L1.vk-freed-early       run args -args=addresses
D1.vk-not-submitted     submit record queues
E2.vk-submit-swallowed  submit names
T1.vk-silent:at=1       submit queues wait -wait=event
T1.vk-lost:at=1         wait -wait=event
B1.vk-swap              args -args=addresses
B1.vk-shift             args -args=addresses
B2.vk-unwritten:binding=2  args -args=addresses
B3.vk-offset            args -args=addresses
B3.vk-range             args -args=addresses
Z2.vk-clamp-range:limit=64  args -args=addresses
I2.vk-zero-page         +args=addresses names run
A1.vk-sink              bind
A2.vk-no-flush          map submit
S2.vk-no-invalidate:after=0  map submit
U1.vk-map-scratch       map
S1.vk-early-fence       submit wait -wait=idle -wait=queue-idle -wait=event
S4.vk-no-wait           +queues=binary submit
S4.vk-no-wait           +queues=timeline submit
""", "cl": """
U1.cl-no-write:part=0      upload -upload=map
U1.cl-zeros:part=0         upload -upload=map -upload=create
U2.cl-tail-freed:part=0    upload -upload=map -upload=create
U2.cl-staging-reused:part=0  upload -upload=map -upload=create
U4.cl-write-cap:part=0     upload -upload=map -upload=create
Z1.cl-write-size:part=0,bits=10 upload -upload=map -upload=create
B5.cl-stride:part=0        upload -upload=map -upload=create
U1.cl-no-write:part=0      +args=svm upload -upload=map -upload=create
A2.cl-no-unmap             +upload=map buffer -buffer=host
A3.cl-never-in             +upload=map +buffer=host queue
A3.cl-never-back           +read=map +buffer=host queue
S2.cl-stale-map:after=0    +read=map buffer -buffer=host
U3.cl-no-read              read args -read=map
U3.cl-zeros                read args -read=map
U4.cl-read-cap             read args -read=map
U1.cl-no-copy              move args
U4.cl-copy-cap             move args
S3.cl-late:every=1         queue run
A4.cl-no-fill              args
A4.cl-fill-zero            args
Z1.cl-fill-size            args
D1.cl-dropped              run args kernel queue
D2.cl-one-group            run -run=task
D3.cl-last-group           run -run=task
Z2.cl-clamp-groups:limit=4 run -run=task
D4.cl-twice                run args
E2.cl-failed-event         run queue
T1.cl-silent:at=1          run queue
B1.cl-swap                 args kernel run
B1.cl-shift                args kernel run
B2.cl-zero-page            args kernel
B4.cl-zero                 args kernel run
L1.cl-freed-early          args kernel run
C2.cl-constant-zero:option=1  build -build=binary
A1.cl-sink:at=2,times=1    buffer -buffer=sub -buffer=host
S1.cl-early                wait -wait=blocking
S1.cl-early                +wait=finish read -read=map
"""}
modes = {"vk": ["", "shadow", "reorder", "queues,discrete", "shadow,reorder,queues,discrete"],
         "cl": ["", "shadow", "reorder", "shadow,reorder"]}

def forms_of(api):
    """step -> its forms, as the program's own first lines say."""
    text = open(f"ci/faults/{api}_forms.c").read().split("*/")[1]
    return {step: forms.split("|") for step, forms in re.findall(r"(\w+)=((?:[\w-]+\|)+[\w-]+)", re.sub(r"\|\n \* *", "|", text))}

def run(job, layered=True):
    api, forms, mode, fault = job
    layer = {"VK_ADD_LAYER_PATH": layers, "VK_INSTANCE_LAYERS": "VK_LAYER_GPULADDER_fault"} if api == "vk" else \
            {"OPENCL_LAYERS": f"{layers}/libgpuladder_fault_cl.so"}
    env = os.environ | (layer if layered else {}) | {"GPULADDER_MODE": mode, "GPULADDER_FAULT": fault}
    try:
        r = subprocess.run([f"{out}/{api}_forms", out, *forms], env=env, capture_output=True, text=True, timeout=60)
        return job, r.returncode, (r.stdout + r.stderr).strip()
    except subprocess.TimeoutExpired:
        return job, 124, "does not end"

def given(forms, *words):
    """What the program is told: not the first form of a step, which it takes by itself."""
    return tuple(w for w in words if forms[w.split("=")[0]][0] != w.split("=")[1])

jobs = []
for api in wanted:
    forms = forms_of(api)
    for mode in modes[api] if everything else modes[api][-1:]:
        jobs += [(api, given(forms, f"{step}={form}"), mode, "") for step in forms for form in forms[step]]
    jobs += [(api, pair, modes[api][-1], "") for pair in itertools.combinations(
        [f"{step}={all_[-1]}" for step, all_ in forms.items()], 2) if everything]
    for line in faults[api].split("\n"):
        fault, *rest = line.split() or [""]
        also = [w[1:] for w in rest if w[0] == "+"]
        for step in (w for w in rest if w[0] not in "+-"):
            jobs += [(api, given(forms, *also, f"{step}={form}"), "queues" if api == "vk" else "", fault) for form in forms[step] if f"-{step}={form}" not in rest]

passed = failed = 0
absent = set()
with concurrent.futures.ThreadPoolExecutor(2) as pool:
    for (api, forms, mode, fault), status, text in pool.map(run, dict.fromkeys(jobs)):
        if status == 77:
            absent.add(f"{api} {' '.join(forms)}: {text}")
            continue
        ok = (status == 1 and text.startswith("wrong")) or "-4" in text.split() if fault else (status == 0 and text == "right")
        if not ok and not fault and run((api, forms, mode, fault), False)[1:] != (0, "right"):
            absent.add(f"{api} {' '.join(forms)}: wrong without the layer, too: a defect of this driver")
            continue
        passed, failed = passed + ok, failed + (not ok)
        if not ok:
            print(f"not ok forms: {api} {' '.join(forms)} mode={mode} fault={fault}: status {status}, {text[:200]}")
for line in sorted(absent):
    print("skip", line)
print(f"{passed} passed, {failed} failed")
sys.exit(failed != 0 or passed == 0)
PY
