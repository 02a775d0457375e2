#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# 'explain' has every section for every root cause, in sentences of its own: what it is, how it looks, how it is told
# apart, what to do in Vulkan and in OpenCL, and public reports.
# usage: explain.sh GPULADDER
set -eu
tool=$1
passed=0 failed=0
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
        passed=$((passed + 1))
    else
        echo "not ok explain: $class: $problem"
        failed=$((failed + 1))
    fi
done
if [ "$count" = 46 ]; then
    echo "ok explain: $count root causes"
    passed=$((passed + 1))
else
    echo "not ok explain: $count root causes are listed, expected 46"
    failed=$((failed + 1))
fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
