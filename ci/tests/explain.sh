#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# 'explain' has every section for every root cause, in sentences of its own: what it is, how it looks, how it is told
# apart, what to do in Vulkan and in OpenCL, and public reports.
# usage: explain.sh GPULADDER
set -eu
# shellcheck source=ci/tests/lib/check.sh
. "$(dirname "$0")/lib/check.sh"
classes=$("$tool" explain | sed -n '/^Root causes/,/^Types/s/^  \([A-Z][0-9]\)  .*/\1/p')
count=0
for class in $classes; do
    count=$((count + 1))
    if problem=$("$tool" explain "$class" | awk -v class="$class" '
        NR == 1 && $0 !~ "^" class ": " { print "its first line is " $0; exit }
        /^  [A-Za-z]/ { section = substr($0, 3, 9); sub(/ +$/, "", section); text[section] = text[section] substr($0, 12) }
        /^           / { text[section] = text[section] " " substr($0, 12) }
        END {
            n = split("what looks apart Vulkan OpenCL reports", wanted, " ")
            for (i = 1; i <= n; i++)
                if (length(text[wanted[i]]) < 30)
                    print "section " wanted[i] ": \"" text[wanted[i]] "\""
            if (text["reports"] !~ /#[0-9]+|commit [0-9a-f]+/)
                print "its reports name none"
            if (text["Vulkan"] == text["OpenCL"])
                print "the same words for both APIs"
        }') && [ -z "$problem" ]; then
        ok "$class"
    else
        bad "$class: $problem"
    fi
done
table=$("$tool" explain pairs)
missing=""
for pair in D1-U3 E2-U3 D1-E2 E2-T1 D1-T1 U3-A3 U3-S2 S1-S2 S1-S4 S3-S4 S3-A4 U1-B1 U1-B2 B1-B2 U1-A2 U1-B4 U2-M2 U4-Z2 U4-B3 \
    Z2-B3 B4-B5 B6-D1 D2-D3 D2-Z2 D3-Z2 D2-W2 D2-C2 W1-S3 W1-W3 W1-M1 C4-M1 C1-M1 N1-A4 N1-Z3 A4-Z3 L1-Z3 I2-B1 I1-D1 E1-S2; do
    grep -qE "^(${pair/-/ - }|${pair#*-} - ${pair%-*}) " <<<"$table" || missing="$missing $pair"
done
check "what parts them is said of all that are known to look alike:$missing" [ -z "$missing" ]
check "46 root causes are listed" [ "$count" = 46 ]
total
