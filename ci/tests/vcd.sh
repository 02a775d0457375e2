#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Value-change dumps of `vm run` beside those of Icarus Verilog, for every program in cases/twins that has a Verilog twin,
# for the example and for pico45: value by value, time by time. Their logs must be the same, too.
# usage: vcd.sh GPULADDER
set -eu
tool=$(realpath "$1")
cd "$(dirname "$0")/../.."
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
for needed in iverilog vvp python3; do
    if ! command -v "$needed" >/dev/null; then
        echo "ok vcd: skipped: $needed is not installed (package ${needed/vvp/iverilog})"
        echo "1 passed, 0 failed"
        exit 0
    fi
done
cp cases/twins/*.v "$out"
{ echo '`timescale 1ns/1ns' && python3 ci/bench/twins.py pico v 100; } >"$out/pico45.v"

failed=0
for twin in "$out"/*.v; do
    name=${twin##*/}
    name=${name%.v}
    case $name in
    pico45) program=pico:45 ;;
    example) program=cases/vm/example.sva ;;
    *) program=cases/twins/$name.sva ;;
    esac
    timeout 60 "$tool" vm run "$program" -q --vcd "$out/$name.ours.vcd" >"$out/$name.ours" || echo "exit status $?" >>"$out/$name.ours"
    printf 'module dump;\ninitial begin\n$dumpfile("%s");\n$dumpvars(0, top);\nend\nendmodule\n' "$out/$name.theirs.vcd" >"$out/dump"
    iverilog -g2005 -s top -s dump -o "$out/$name.vvp" "$twin" "$out/dump" && timeout 60 vvp -n "$out/$name.vvp" >"$out/$name.theirs" ||
        echo "not ok vcd: $name: Icarus Verilog ended with $?"
    if ! diff <(grep -v '^VCD ' "$out/$name.theirs") <(grep -v '^\$finish' "$out/$name.ours") >"$out/diff"; then
        echo "not ok vcd: $name: the logs differ"
        head -5 "$out/diff"
        failed=$((failed + 1))
    fi
done

# The comparison itself must find a value, a time and a variable that are wrong.
mkdir "$out/wrong"
for wrong in value:'0,/^b00000010 /s//b00000110 /' time:'s/^#15$/#16/' width:'s/ 8 / 7 /' variable:'s/ cnt / count /'; do
    cp "$out/example.theirs.vcd" "$out/wrong/${wrong%%:*}.theirs.vcd"
    sed "${wrong#*:}" "$out/example.ours.vcd" >"$out/wrong/${wrong%%:*}.ours.vcd"
done
python3 ci/tests/vcd.py "$out/wrong" >"$out/wrong.txt" || true
if [ "$(grep -c '^not ok' "$out/wrong.txt")" != 4 ]; then
    echo "not ok vcd: the comparison does not see what is wrong"
    cat "$out/wrong.txt"
    failed=$((failed + 1))
fi
status=0
python3 ci/tests/vcd.py "$out" >"$out/good.txt" || status=$?
sed '$d' "$out/good.txt"
read -r p f < <(sed -nE 's/^([0-9]+) passed, ([0-9]+) failed$/\1 \2/p' "$out/good.txt"; echo 0 1)
echo "$p passed, $((f + failed)) failed"
[ "$status" = 0 ] && [ "$failed" = 0 ]
