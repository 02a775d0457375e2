#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Defects inside Mesa itself: fetches the distribution's source, inserts those of mesa.txt, builds lavapipe and rusticl
# beside what is installed, and scores the answers as drivers.sh does. Needs what builds the package (apt-get build-dep mesa), a
# deb-src line for the source, and half an hour of two cores the first time; what is built stays in FOLDER.
# usage: mesa.sh GPULADDER FOLDER [--markdown] [DEFECT...]
set -eu
tool=$(realpath "$1")
mkdir -p "$2"
folder=$(realpath "$2")
shift 2
cd "$(dirname "$0")/../.."
table=$PWD/ci/faults/mesa.txt
(
    cd "$folder"
    ls mesa_22.3.6*.orig.tar.gz >/dev/null 2>&1 || apt-get source --download-only mesa=22.3.6*
    [ -d healthy ] || { mkdir healthy && tar -xzf mesa_22.3.6*.orig.tar.gz -C healthy --strip-components 1; }
    [ -d sick ] || cp -r healthy sick
    python3 - "$table" healthy sick <<'PY'
import re, sys
table, healthy, sick = sys.argv[1:]
short = {"lvp": "src/gallium/frontends/lavapipe", "lp": "src/gallium/drivers/llvmpipe", "bld": "src/gallium/auxiliary/gallivm",
         "rcl": "src/gallium/frontends/rusticl"}
edits, texts = [], {}
for number, line in enumerate(open(table), 1):
    if line.startswith("@ "):
        path, context = line[2:].rstrip("\n").split(" ", 1)
        first, _, rest = path.partition("/")
        path = f"{short[first]}/{rest}" if first in short else path
    elif line[0] in "<>-" and line[1] == " ":
        edits.append([number, path, context, line[0], line[2:].rstrip("\n"), ""])
    elif line[0] == "+":
        edits[-1][5] += line[1:]
for number, path, context, how, anchor, new in edits:
    text = texts.get(path) or open(f"{healthy}/{path}").read()
    at = text.find(anchor, max(text.find(context), 0)) if context in text else -1
    if at < 0:
        sys.exit(f"{table}:{number}: {path} has no '{anchor}' behind '{context}'; is it Mesa 22.3.6?")
    if how == "-":
        text = text[:at] + new.rstrip("\n") + text[at + len(anchor):]
    else:
        at = text.rfind("\n", 0, at) + 1 if how == "<" else text.find("\n", at) + 1
        text = text[:at] + new + text[at:]
    texts[path] = text
for path in texts:
    include, what = ("use ", "use crate::core::util::sick;\n") if path.endswith(".rs") else ("#include ", '#include "util/sick.h"\n')
    texts[path] = re.sub(f"^{include}", what + include, texts[path], count=1, flags=re.M)
texts["src/util/sick.h"] = """#include <stdlib.h>
#include <string.h>
static inline int sick(const char *name)
{
   size_t n = strlen(name);
   for (const char *p = getenv("GPULADDER_SICK"); p; p = strchr(p, ' ') ? strchr(p, ' ') + 1 : NULL)
      if (!strncmp(p, name, n) && (!p[n] || p[n] == ' '))
         return 1;
   return 0;
}
"""
util = "src/gallium/frontends/rusticl/core/util.rs"
texts[util] = open(f"{healthy}/{util}").read() + """
pub fn sick(name: &str) -> bool {
    std::env::var("GPULADDER_SICK").map_or(false, |v| v.split(' ').any(|s| s == name))
}
"""
for path, text in texts.items():  # what is as it was is not built again
    try:
        same = open(f"{sick}/{path}").read() == text
    except OSError:
        same = False
    if not same:
        open(f"{sick}/{path}", "w").write(text)
PY
    export PATH=/usr/bin:/bin:/usr/sbin:/sbin CLANG_PATH=/usr/bin/clang-15
    [ -f build/build.ninja ] || meson setup build sick -Dbuildtype=release -Dplatforms= -Dglx=disabled -Degl=disabled -Dgbm=disabled \
        -Dopengl=false -Dgles1=disabled -Dgles2=disabled -Dgallium-drivers=swrast -Dvulkan-drivers=swrast -Dllvm=enabled \
        -Dshared-llvm=enabled -Dgallium-rusticl=true -Dopencl-spirv=true -Drust_std=2021 -Dvideo-codecs=
    ninja -C build
) >&2
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
icd=$folder/build/src/gallium/targets
echo '{"file_format_version": "1.0.0", "ICD": {"library_path": "'"$icd"'/lavapipe/libvulkan_lvp.so", "api_version": "1.3.0"}}' >"$out/sick.json"
mkdir "$out/vendors"
echo "$icd/rusticl/libRusticlOpenCL.so" >"$out/vendors/sick.icd"
GPULADDER_CACHE="" MESA_SHADER_CACHE_DISABLE=true RUSTICL_ENABLE=llvmpipe VK_ICD_FILENAMES=$out/sick.json \
    VK_DRIVER_FILES=$out/sick.json OCL_ICD_VENDORS=$out/vendors \
    python3 ci/faults/score.py "$table" "$tool" "$out" "$@"
