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
check "46 root causes are listed" [ "$count" = 46 ]
total
