# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What the tests of the whole program share: each begins with `. "$(dirname "$0")/lib/check.sh"` and ends with `total`.
# $tool is the program, $1 of the test; $here the tree, where a test starts; $tmp a folder that goes when it ends.
tool=$(realpath "$1")
here=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../../..")
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$here" || exit 1
test=$(basename "$0" .sh) passed=0 failed=0

ok() { # ok WHAT
    passed=$((passed + 1))
    echo "ok $test: $1"
}
bad() { # bad WHAT FILE...: the ends of these files say why
    failed=$((failed + 1))
    echo "not ok $test: $1"
    { tail -q -n 5 "${@:2}" | sed 's/^/    /'; } 2>/dev/null
}
check() { # check WHAT COMMAND...: the command decides; what it prints is shown where it fails, and lines that begin with #
    if "${@:2}" >"$tmp/check.log" 2>&1; then
        ok "$1"
        grep '^# ' "$tmp/check.log" || true
    else
        bad "$1" "$tmp/check.log" "$tmp/out" "$tmp/err"
    fi
}
# got STATUS ARGUMENT...: runs the program, its verb $verb where that is set, into the files out and err
got() {
    local want=$1 status=0
    shift
    # shellcheck disable=SC2086
    timeout 120 "$tool" ${verb-} "$@" >out 2>err </dev/null || status=$?
    [ "$status" = "$want" ] || { echo "exit status $status of '$*', expected $want"; return 1; }
}
says() { grep -qF -- "$1" "${2:-out}"; }
total() {
    echo "$passed passed, $failed failed"
    [ "$failed" = 0 ]
}
