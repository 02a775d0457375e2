#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# After a failure, on real drivers: experiments are made where they tell something, and only there; each runs in the process
# it needs; validation is heard; a driver that hangs in one costs no more than its time.
# usage: experiments.sh GPULADDER
set -eu
# shellcheck source=ci/tests/lib/check.sh
. "$(dirname "$0")/lib/check.sh"
about() { # a Python expression over j, the run, r, its first record, t, its trials by name, and m, its messages
    python3 -c 'import json, sys
j = json.load(open(sys.argv[1]))
r = j["records"][0]
t = {x["name"]: x for x in r.get("trial", [])}
m = " ".join(r.get("messages", []))
ok = eval(sys.argv[2])
print(sorted((k, v["result"]) for k, v in t.items()), m[:300])
sys.exit(not ok)' "$tmp/run/run.json" "$1"
}
go() { # go DEVICE CASE OPTIONS...
    rm -rf "$tmp/run"
    timeout 100 "$tool" run -q --device "$1" --only "$2" --seed 1 --timeout 20 --output "$tmp/run" "${@:3}" >"$tmp/log" 2>&1 || true
}
has() { "$tool" devices -q 2>/dev/null | grep -q " $1\$\| $1 "; }

go host indirect --inject I1.stale
check "a grid from a buffer that fails is given directly, and that decides" about 't["direct"]["result"] == "cured" and (r["diagnosis"]["cause"], r["diagnosis"]["sure"]) == ("I1", "decided")'
go host indirect --inject I1.stale --experiments 0
check "--experiments 0: none" about 'not t and r["status"] == "fail"'
go host indirect --inject I1.stale --drop dispatch
check "none in the mutation check" about 'not t'
go host vector-add --inject D2.threads-as-groups
check "an edge that stays at a larger size" about 'any(o["name"] == "larger.edge-stays" for o in r["obs"])'
sizes='lambda name: [(s["n"], s["result"]) for s in t[name]["sizes"]]'
go host vector-add --inject D2.threads-as-groups
check "around whole workgroups, a second division by the workgroup" about \
    '[n - 4224 for n, _ in ('"$sizes"')("whole-groups")] == [-1, 0, 1] and any(o["name"] == "whole-groups.ratio" for o in r["obs"])'
go host vector-add --inject D3.floor
check "right at whole workgroups, wrong at one less and one more" about \
    '[x for _, x in ('"$sizes"')("whole-groups")] == ["wrong", "right", "wrong"] and r["diagnosis"]["cause"] == "D3"'
go host vector-add --inject D3.last-group
check "just the last workgroup, full or not" about \
    '[s["groups"] for s in t["whole-groups"]["sizes"]] == [65, 65, 66] and any(o["name"] == "whole-groups.last" for o in r["obs"])'
go host vector-add --inject Z2.clamp-groups
check "an edge that is a limit: right up to it, wrong one above" about \
    '('"$sizes"')("limit") == [(1023, "right"), (1024, "right"), (1025, "wrong")] and r["diagnosis"]["cause"] == "Z2"'
go host table-22 --inject D1.dropped
check "a case without a size says that it has none" about 't["whole-groups"]["result"] == "no" and "no size" in t["whole-groups"]["text"]'
go host thread-id-1d --inject D3.last-group:min=2
check "a remainder at a larger size" about 'any(o["name"] == "larger.rest" for o in r["obs"])'
go host nonce-echo --inject E2.half-batch
check "a batch that ends early: what is missing never comes, whatever command it is" about \
    't["copied-end"]["result"] == "same" and any(o["name"] == "markers.never" for o in r["obs"]) and (r["diagnosis"]["cause"], r["diagnosis"]["sure"]) == ("E2", "decided")'
go host nonce-echo --inject S1.early-wait
check "a wait that ends early: what is missing comes later" about \
    'any(o["name"] == "markers.late" for o in r["obs"]) and any(o["name"] == "witness.late" for o in r["obs"]) and r["diagnosis"]["cause"] == "S1"'
go host table-22 --inject I2.one-missing
check "no experiment is made twice" about 'len(t) == len(r.get("trial", []))'
echo "[99999999.000000] NVRM: Xid (PCI:0000:01:00): 31, pid=7" >"$tmp/kmsg"
echo "[0.000000] amdgpu: long before" >>"$tmp/kmsg"
export GPULADDER_KERNEL_LOG=$tmp/kmsg
go host vector-add --inject T1.reported
check "the kernel's log is evidence where a device is lost" about \
    '"kernel log: NVRM: Xid" in m and "long before" not in m and any(o["name"] == "kernel-log.driver" for o in r["obs"])'
echo "[99999999.000000] NVRM: Xid (PCI:0000:01:00): 31, pid=7, MMU Fault: ENGINE GRAPHICS" >"$tmp/kmsg"
go host vector-add --inject T1.reported
check "a memory fault in the kernel's log is no sign of a hang" about 'r["diagnosis"]["sure"] == "open" and r["diagnosis"]["cause"] == "B2"'
unset GPULADDER_KERNEL_LOG
go host vector-add --inject E2.build-failed
check "a build log is evidence" about '"build log: vector-add" in m and r["diagnosis"]["cause"] == "E2" and r["diagnosis"]["sure"] == "decided"'
lost='([(f["cause"], f["cases"]) for f in j["summary"][0]["findings"]] == [("T1", 1)] and
      [x["status"] for x in j["records"]] == ["lost", "blocked", "blocked"] and not any("diagnosis" in x for x in j["records"][1:]))'
go host nonce-echo --only thread-id-1d --only vector-add --inject T1.reported
check "a lost device is one finding, and what stood on it is not diagnosed" about "$lost"
if has vk-llvmpipe; then
    go vk-llvmpipe nonce-echo --only thread-id-1d --only vector-add --inject T1.vk-lost:at=1
    check "the same inside a driver" about "$lost"
fi
go host vector-multiply-scalar --inject B4.zero --inject U1.no-upload
check "two faults are two findings" about '"two findings" in r["diagnosis"]["verdict"] and {r["diagnosis"]["cause"], r["diagnosis"]["runner_up"]} == {"B4", "U1"}'
cat >"$tmp/wrong.xml" <<'XML'
<cases rung="1">
  <case id="wrong" proves="nothing: what is expected is wrong">
    <buffer name="dst" type="uint" count="64"/>
    <fill buffer="dst" word="7"/>
    <expect buffer="dst" oracle="expr" with="8"/>
  </case>
  <case id="no-barrier" order="explicit" gates="no" proves="nothing: the second fill does not wait for the first">
    <buffer name="dst" type="uint" count="64"/>
    <fill buffer="dst" word="8"/>
    <fill buffer="dst" word="7"/>
    <expect buffer="dst" oracle="expr" with="8"/>
  </case>
  <case id="outside" gates="no" proves="nothing: writes behind its buffer">
    <buffer name="dst" type="uint" count="64"/>
    <dispatch kernel="region" items="64" local="64">
      <set name="first" value="1M"/><set name="n" value="64"/><set name="value" value="3"/>
    </dispatch>
    <expect buffer="dst" oracle="expr" with="7"/>
  </case>
</cases>
XML
if has vk-llvmpipe; then
    go vk-llvmpipe wrong --cases "$tmp/wrong.xml"
    check "a test that is wrong is wrong on the host as well, and nothing more is tried" about \
        't["host"]["result"] == "same" and r["trial"][-1]["name"] == "host"'
    go vk-llvmpipe constants-in-turn --inject C1.vk-key-without-constants:at=1000000
    check "a case that passes has none" about 'r["status"] == "pass" and not t'
    go vk-llvmpipe vector-multiply-scalar --inject M1.vk-fmul
    check "another device is right where a driver's compiler is wrong" about 't["host"]["result"] == "cured"'
    go vk-llvmpipe subgroup-add --inject W3.vk-width
    check "another width of subgroups is forced where there is one" about \
        'all(t[n]["result"] in ("cured", "same", "changed") for n in ("narrow-subgroups", "wide-subgroups"))'
    if find /usr/share/vulkan/explicit_layer.d -iname '*khronos_validation*' 2>/dev/null | grep -q .; then
        go vk-llvmpipe no-barrier --cases "$tmp/wrong.xml" --validate
        check "--validate: what the Khronos layer says is evidence" about \
            't["validation"]["result"] == "said" and "SYNC-HAZARD" in m and any(o["name"] == "validation.hazard" for o in r["obs"])'
        go vk-llvmpipe nonce-echo --inject D1.vk-dropped --validate
        check "--validate: its silence is said, too" about 't["validation"]["result"] == "silent" and "nothing is said" in t["validation"]["text"]'
    else
        ok "--validate skipped: the Khronos layer is not installed"
    fi
fi
if has cl-pocl; then
    go cl-pocl local-self-test-256 --inject W1.cl-no-barrier
    check "where no width can be forced, that is said" about \
        't["narrow-subgroups"]["result"] == "no" and "subgroups" in t["narrow-subgroups"]["text"]'
    if find /usr/lib -name liboclgrind-rt-icd.so 2>/dev/null | grep -q .; then
        go cl-pocl outside --cases "$tmp/wrong.xml" --validate
        check "--validate: oclgrind names an access outside a buffer" about \
            't["validation"]["result"] == "said" and "Invalid write" in m and any(o["name"] == "validation.out-of-bounds" for o in r["obs"])'
    else
        ok "--validate skipped: oclgrind is not installed"
    fi
fi
total
