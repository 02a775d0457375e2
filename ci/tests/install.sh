#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: install.sh GPULADDER: make install and uninstall, and the executable alone in a bare root with no loader, no
# driver and no file of this tree.
set -eu
# shellcheck source=ci/tests/lib/check.sh
. "$(dirname "$0")/lib/check.sh"
build=$(realpath --relative-to="$here" "$(dirname "$tool")")
list() { (cd "$tmp/$1" && find . -type f | LC_ALL=C sort | tr '\n' ' '); }

check "make install" make -s -C "$here" B="$build" install DESTDIR="$tmp/a" prefix=/usr
check "what is installed, and nothing else" [ "$(list a)" = \
    "./usr/bin/gpuladder ./usr/lib/gpuladder/VkLayer_gpuladder_fault.json ./usr/lib/gpuladder/libVkLayer_gpuladder_fault.so ./usr/lib/gpuladder/libgpuladder_fault_cl.so ./usr/share/bash-completion/completions/gpuladder ./usr/share/man/man1/gpuladder.1 " ]
check "GNU folders can be moved" eval "make -s -C '$here' B='$build' install DESTDIR='$tmp/b' prefix=/opt/x bindir=/b mandir=/m &&
    [ -x '$tmp/b/b/gpuladder' ] && [ -s '$tmp/b/m/man1/gpuladder.1' ]"
check "the installed program runs" env -i "$tmp/a/usr/bin/gpuladder" --version
check "the manual page is the program's" eval "'$tool' help --man | cmp -s - '$tmp/a/usr/share/man/man1/gpuladder.1'"
check "the completion loads" bash -c "source '$tmp/a/usr/share/bash-completion/completions/gpuladder' && complete -p gpuladder"
check "make uninstall" eval "make -s -C '$here' B='$build' uninstall DESTDIR='$tmp/a' prefix=/usr && [ -z \"\$(find '$tmp/a' -type f)\" ]"

# The executable and the C library's family alone.
root=$tmp/root
mkdir -p "$root/tmp" "$root/proc" "$root/dev" "$root/etc"
cp "$tool" "$root/gpuladder"
ldd "$tool" | grep -oE '/[^ ]+' | while read -r library; do
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
done
ldconfig -r "$root" 2>/dev/null || /sbin/ldconfig -r "$root" 2>/dev/null || true
bare() { # bare STATUS ARGUMENT...: in the bare root
    local want=$1 status=0
    shift
    # shellcheck disable=SC2016 # for the inner shell
    timeout 120 unshare --map-root-user --mount --pid --fork bash -c 'mount -t proc proc "$0/proc" && cd / && exec chroot "$0" "$@"' \
        "$root" /gpuladder "$@" >"$tmp/out" 2>&1 || status=$?
    cat "$tmp/out"
    [ "$status" = "$want" ]
}
if unshare --map-root-user --mount --pid --fork bash -c "mount -t proc proc '$root/proc'" 2>/dev/null; then
    check "alone: version" bare 0 --version
    check "alone: list" bare 0 list
    check "alone: devices says that both loaders are missing, 77" eval 'bare 77 devices && grep -q libvulkan.so.1 "$tmp/out" &&
        grep -q libOpenCL.so.1 "$tmp/out"'
    check "alone: doctor says what to install, 77" eval 'bare 77 doctor && grep -q ocl-icd-libopencl1 "$tmp/out"'
    check "alone: the host device climbs" bare 0 run --device host --only arithmetic --output /tmp/results
    check "alone: reports are there" [ -s "$root/tmp/results/run.json" ]
else
    echo "note: no user namespaces here, the bare root is not tried"
fi
total
