#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: vm_diagnosis.sh GPULADDER: the zero-bytecode failure, made below the VM's own code in four ways, is named for what it
# is, with every fact that a reader needs; on every device that there is.
set -eu
# shellcheck source=ci/tests/lib/check.sh
. "$(dirname "$0")/lib/check.sh"
cd "$tmp"

# names DEVICE MODE FAULT CAUSE FACT...: the run fails, the cause is named for certain, and each fact is told
names() {
    local device=$1 mode=$2 fault=$3 cause=$4 status=0 fact
    shift 4
    timeout 100 "$tool" vm run pico:45 --device "$device" --binding "$mode" --inject "$fault" >/dev/null 2>err </dev/null || status=$?
    tr -s ' \n' ' ' <err >flat # lines are broken to fit a terminal
    if grep -q "skipped:" flat && ! grep -q "fail:" flat; then
        echo "# vm_diagnosis: $device $mode: $(grep -o 'skipped:.*' err | head -1)"
        return
    fi
    [ "$status" = 1 ] && grep -qE " cause $cause [^()]*\(decided\)" flat || { bad "$device, $mode: $fault is named $cause" flat; return; }
    ok "$device, $mode: $fault is named $cause"
    for fact in "$@"; do
        if grep -qF -- "$fact" flat; then ok "$device, $mode: $cause: $fact"; else bad "$device, $mode: $fault: says '$fact'" flat; fi
    done
}

bytes=$((28080 * 4 + 16)) # of buffer 0 with its guard, in one transfer; an allocation has 64 more
# sweep WHAT STATUS TEXT ARGUMENT...: a sweep on the host that ends so, and says the text
sweep() {
    local what=$1 want=$2 text=$3 status=0
    shift 3
    timeout 100 "$tool" run -v --device host --output run "$@" >err 2>&1 </dev/null || status=$?
    tr -s ' \n' ' ' <err >flat
    if [ "$status" = "$want" ] && grep -qF -- "$text" flat; then ok "sweep, $what"; else bad "sweep, $what: says '$text'" flat; fi
}
small=(--no-builtin --cases "$here/cases/selftest/vm-sweep.xml")
sweep "nothing wrong" 0 "2 pass" "${small[@]}"
ways=("${small[@]}" --only vm-sweep-ways --inject "I2.zero-page:min=224720,max=224720")
sweep "the one way that fails" 1 "step 45x2 (224640 bytes of bytecode) fails in mode table, a copy for each instance" "${ways[@]}"
sweep "those beside it" 1 "step 45x2 passes in mode packed, one copy for all instances" "${ways[@]}"
sweep "the first step that fails, and its mode" 1 "step 27 (67392 bytes of bytecode) fails in mode table, a copy for each instance" \
    --only vm-sizes-table --inject I2.zero-page:min=67472,max=67472
sweep "the last one that held" 1 "bytes = 67392 is the smallest that fails, 64896 the largest below it that passes" \
    --only vm-sizes-table --inject I2.zero-page:min=67472,max=67472
sweep "its cause" 1 " cause I2 " --only vm-sizes-table --inject I2.zero-page:min=67472,max=67472
sweep "wrong state" 1 "step 4 (9984 bytes of bytecode) fails in mode table, a copy for each instance: instance 0: of waits for a time is 1" \
    "${small[@]}" --only vm-sweep-small --inject M1.wrong-lane:min=1300
sweep "a launch that is missing" 1 "instance 0: number of ready processes is 1 (0x1), expected 0" "${small[@]}" --only vm-sweep-small --inject D1.dropped:at=7,times=1

found=0
for device in host vk:0 cl:0:0; do
    "$tool" devices -q 2>/dev/null | grep -q "^$device" || continue
    found=$((found + 1))
    names $device table "I2.zero-page:min=$((bytes + 64)),max=$((bytes + 64))" I2 \
        "first-op counts disagree: of all processes 45 begin with opcode 0 on the device, 0 on the host" \
        "svm-probe: mode=table buffer=0 name=sched_vm_bytecode first=0x00000000/0x00000007 last=0x00000000/0x5afe0000 sum=0x00000000/0x4f89678c" \
        "mode table reads right: 1 proc_bytecode_offset, 2 proc_bytecode_length, 3 cond_val," \
        "the same buffers, bound directly: all 22 read right" \
        "read back by the host: all 22 buffers are as they were uploaded" \
        "mode packed, in buffers of its own: all 22 read right" \
        "the smallest failing size: 112320 bytes of bytecode (pico:45) read wrong, 109824 (pico:44) read right" \
        "svm-bytecode-mismatch: gid=0 pid=0 ip=0 gpu=0x00000000 host=0x00000007" \
        "launch 3 is the first to differ: ready/blocked/done 42/0/3 instead of 42/1/2" \
        "place memory reached through sched_vm_bytecode"
    for mode in direct table packed; do
        names $device $mode "U1.upload-zeros:min=$bytes,max=$bytes" U1 \
            "first-op counts disagree: of all processes 45 begin with opcode 0 on the device, 0 on the host" \
            "read back by the host: wrong: 0 bytecode" \
            "the smallest failing size: 112320 bytes" \
            "svm-bytecode-mismatch: gid=0 pid=0 ip=0 gpu=0x00000000 host=0x00000007" \
            "launch 3 is the first to differ: ready/blocked/done 42/0/3 instead of 42/1/2" \
            "place the transfer to sched_vm_bytecode"
    done
    names $device table "U1.no-upload:min=$bytes,max=$bytes" U1 \
        "reads as the marks that stood there before the upload" \
        "the same buffers, bound directly: wrong: 0 bytecode" \
        "mode direct, in buffers of its own: wrong: 0 bytecode"
    names $device table "U4.upload-cap:cap=65536,min=$bytes,max=$bytes" U4 \
        "buffer 0 (bytecode) reads right up to byte 65536 of 112320" \
        "the same buffers, bound directly: wrong: 0 bytecode" \
        "svm-bytecode-mismatch: gid=0 pid=27 ip=0" \
        "launch 28 is the first to differ: ready/blocked/done 17/25/3 instead of 17/26/2" \
        "place the range of the transfer of sched_vm_bytecode"
    names $device packed "U4.upload-cap:cap=65536" U4 \
        "buffer 0 (bytecode) reads right up to byte 65536 of 112320" \
        "the smallest failing size: 67392 bytes of bytecode (pico:27) read wrong, 64896 (pico:26) read right"
    names $device table "B1.swap-addresses:at=4,every=22,times=0" B1 \
        "buffer 3 (cond_val) reads as buffer 4 (cond_xz)" "buffer 4 (cond_xz) reads as buffer 3 (cond_val)" \
        "the same buffers, bound directly: all 22 read right" \
        "mode direct, in buffers of its own: all 22 read right" \
        "the smallest failing size: 9984 bytes of bytecode (pico:4), the smallest tried, read wrong already"
done
[ "$found" -gt 0 ] || { echo "not ok vm_diagnosis: no device"; failed=1; }
total
