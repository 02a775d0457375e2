#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A few random and hostile programs in the VM's kernels on every device; `make check-vm` runs them all.
# usage: vm-random.sh GPULADDER
set -eu
build=$(dirname "$(realpath "$1")")
exec "$(dirname "$0")/../vm-random" "$build" quick
