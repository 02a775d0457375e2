# SPDX-License-Identifier: Apache-2.0
# make            build into $(B)             make run        install what is missing, build, climb the ladder
# make check      run, then every test        make sanitize   the tests under ASan and UBSan
# make check-vm   the VM, in all ways
# make bench      speed, as ratios            make golden     write the reports' expected outputs anew
# make install    DESTDIR= prefix=            make style      what clang-format and ci/style say
B ?= build
prefix ?= /usr/local
exec_prefix ?= $(prefix)
bindir ?= $(exec_prefix)/bin
layerdir ?= $(bindir)/../lib/gpuladder
datarootdir ?= $(prefix)/share
mandir ?= $(datarootdir)/man
completiondir ?= $(datarootdir)/bash-completion/completions
PKG_CONFIG ?= pkg-config
CFLAGS ?= -O2 -g
V ?= 0
Q = $(if $(filter 1,$(V)),,@)

lib_pc = libxml-2.0 jansson zlib
all_cflags = -std=c11 -D_GNU_SOURCE -Wall -Wextra -Wno-missing-field-initializers -MMD -MP -I$(B) $(pc_cflags) $(CPPFLAGS) $(CFLAGS)
pc_cflags := $(shell $(PKG_CONFIG) --cflags $(lib_pc) 2>/dev/null)
all_libs = $(LDLIBS) $(shell $(PKG_CONFIG) --libs $(lib_pc)) -lm -ldl -lpthread

# The folder is the list: a file added here needs no other edit.
kernels := $(basename $(notdir $(wildcard kernels/*.k)))
cases := $(basename $(notdir $(wildcard cases/ladder/*.xml)))
programs := $(basename $(notdir $(wildcard cases/vm/*.sva)))
vectors := $(basename $(notdir $(wildcard cases/vm/*.vec)))
vm_data := $(notdir $(wildcard cases/vm/data.*))
probes := $(basename $(notdir $(wildcard harness/probes/*.c)))
backends := $(sort $(filter-out layers,$(basename $(notdir $(filter-out %_test.c,$(wildcard backends/*.c)) $(patsubst %/,%,$(wildcard backends/*/))))))
reports := $(filter-out clean body show tally,$(basename $(notdir $(filter-out %_test.c,$(wildcard reports/*.c)))))
commands := $(patsubst cmd_%,%,$(basename $(notdir $(wildcard harness/cmd_*.c))))
sources := $(filter-out %_test.c,$(wildcard harness/*.c harness/probes/*.c harness/vm/*.c kernels/vm_*.c backends/*.c backends/*/*.c reports/*.c))
sources := $(filter-out backends/layers/vk_%.c backends/layers/cl_%.c,$(sources))
objects := $(sources:%.c=$(B)/%.o) $(kernels:%=$(B)/kernels/%.o)
core := $(filter-out $(B)/harness/main.o,$(objects))
tests := $(patsubst %.c,$(B)/%,$(wildcard harness/*_test.c harness/vm/*_test.c backends/*_test.c backends/*/*_test.c reports/*_test.c kernels/*_test.c))
id = $(subst .,_,$(subst -,_,$(1)))

layers := $(addprefix $(B)/layers/,libVkLayer_gpuladder_fault.so libgpuladder_fault_cl.so VkLayer_gpuladder_fault.json)

all: $(B)/gpuladder $(layers)
.PHONY: all run exam faults check check-vm sanitize bench golden style install uninstall clean setup FORCE

$(B)/gpuladder: $(objects)
	@echo "  link  $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -rdynamic -o $@ $^ $(all_libs)

$(B)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  cc    $<"
	$(Q)$(CC) $(all_cflags) -c -o $@ $<

# Layers of faults, for any program: libc only, and nothing to be seen of them but the loaders' way in.
$(B)/layers/libVkLayer_gpuladder_fault.so: $(filter-out %_test.c,$(wildcard backends/layers/vk_*.c)) backends/layers/inject.c
$(B)/layers/libgpuladder_fault_cl.so: $(filter-out %_test.c,$(wildcard backends/layers/cl_*.c)) backends/layers/inject.c
$(B)/layers/%.so: $(wildcard backends/layers/*.h backends/layers/*.def)
	@mkdir -p $(@D)
	@echo "  layer $@"
	$(Q)$(CC) -std=c11 -D_GNU_SOURCE -Wall -Wextra -Wno-missing-field-initializers $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) \
	    -shared -fPIC -fvisibility=hidden -o $@ $(filter %.c,$^) -lpthread
$(B)/layers/%.json: backends/layers/%.json
	@mkdir -p $(@D)
	$(Q)cp $< $@

# Registries, written anew only when a folder's list changes.
define registry
$(B)/$(1).def: FORCE
	@mkdir -p $$(@D); printf '%s\n' $(foreach x,$(sort $(2)),'$(3)($(call id,$(x)), "$(x)")') >$$@.new; \
	if cmp -s $$@.new $$@; then rm $$@.new; else mv $$@.new $$@; fi
endef
$(eval $(call registry,kernels,$(kernels),KERNEL))
$(eval $(call registry,cases,$(cases),CASES))
$(eval $(call registry,probes,$(probes),PROBE))
$(eval $(call registry,programs,$(programs),PROGRAM))
$(eval $(call registry,vectors,$(vectors),VECTORS))
$(eval $(call registry,vm_data,$(vm_data),DATA))
$(eval $(call registry,backends,$(backends),BACKEND))
$(eval $(call registry,reports,$(reports),REPORT))
$(eval $(call registry,commands,$(commands),COMMAND))
$(B)/harness/registry.o: $(B)/kernels.def $(B)/cases.def $(B)/programs.def $(B)/vectors.def $(B)/vm_data.def $(B)/probes.def $(B)/backends.def $(B)/reports.def $(B)/commands.def \
	$(wildcard cases/ladder/*.xml cases/vm/*.sva cases/vm/*.vec cases/vm/data.*) cases/case.rng cases/faults/expected.txt cases/faults/clean.xml

# A kernel: three shells around one body, and an object that carries them all. The nonce is the CRC of what the device builds.
shells := $(addprefix kernels/,wrap.comp wrap.cl wrap.c witness.h witness.inc defaults.h host.h repeat.h ints.h atomics.h)
vm_text := $(filter-out kernels/vm_data.h kernels/vm_ref.h,$(wildcard kernels/vm*.h)) kernels/vm_ops.def
$(foreach k,$(filter vm-%,$(kernels)),$(B)/kernels/$(k).spv $(B)/kernels/$(k).cl): $(vm_text)
kflags = -Ikernels -DKFILE='"$*.k"' -DKNONCE=$$(cat $(shells) $(if $(filter vm-%,$*),$(vm_text)) kernels/$*.k | cksum | cut -d' ' -f1)u
$(B)/kernels/%.spv: kernels/%.k $(shells)
	@mkdir -p $(@D)
	@echo "  glsl  $<"
	$(Q)$(CC) -E -P -undef -x c $(kflags) kernels/wrap.comp | sed 's/^%/#/' >$(@:.spv=.comp)
	$(Q)glslangValidator --quiet -V --target-env vulkan1.1 -o $@ $(@:.spv=.comp)
$(B)/kernels/%.cl: kernels/%.k $(shells)
	@mkdir -p $(@D)
	@echo "  cl    $<"
	$(Q)$(CC) -E -undef -x c $(kflags) kernels/wrap.cl | sed '/^# .*"<.*>"/d' >$@
$(B)/kernels/%.o: $(B)/kernels/%.spv $(B)/kernels/%.cl kernels/wrap.c
	@echo "  cc    kernels/$*.k"
	$(Q)$(CC) $(all_cflags) -Wno-unused-parameter -ffp-contract=off $(kflags) -DKSYM=lad_kernel_$(call id,$*) -DKNAME='"$*"' \
	    -DKSPV='"$(B)/kernels/$*.spv"' -DKCL='"$(B)/kernels/$*.cl"' -DKSPV_BYTES=$$(stat -c %s $(B)/kernels/$*.spv) -c -o $@ kernels/wrap.c
.PRECIOUS: $(B)/kernels/%.spv $(B)/kernels/%.cl

$(B)/%_test: %_test.c $(core)
	@mkdir -p $(@D)
	@echo "  test  $@"
	$(Q)$(CC) $(all_cflags) $(LDFLAGS) -rdynamic -o $@ $< $(core) $$($(PKG_CONFIG) --cflags --libs cunit) $(all_libs)

setup:
	@ci/setup
run: setup
	@$(MAKE) --no-print-directory all
	@ci/ladder $(B)
check: setup
	@$(MAKE) --no-print-directory all $(tests)
	@ci/check $(B)
check-vm: all $(addprefix $(B)/harness/vm/,random_test fuzz_test)
	@ci/check-vm $(B)
sanitize:
	@$(MAKE) --no-print-directory B=build-asan CFLAGS='-O1 -g -fsanitize=address,undefined -fno-omit-frame-pointer' tests_only=1 sanitized
sanitized: all $(tests)
	@ci/units $(B)
bench: all
	@ci/bench/run $(B)
faults: all
	@ci/faults/decorator.sh $(B)/gpuladder
	@ci/faults/layers.sh $(B)/gpuladder
	@bash ci/tests/forms.sh $(B)/gpuladder --all
	@ci/faults/drivers.sh $(B)/gpuladder
exam: all
	@$(B)/gpuladder exam -j 2 --clean 3 --baseline cases/expect/known.txt
golden: all
	@ci/golden $(B)
style:
	@ci/style

install: all
	install -d $(DESTDIR)$(bindir) $(DESTDIR)$(mandir)/man1 $(DESTDIR)$(completiondir)
	install -m 755 $(B)/gpuladder $(DESTDIR)$(bindir)/gpuladder
	install -d $(DESTDIR)$(layerdir)
	install -m 644 $(layers) $(DESTDIR)$(layerdir)
	$(B)/gpuladder help --man >$(DESTDIR)$(mandir)/man1/gpuladder.1
	$(B)/gpuladder help --completion >$(DESTDIR)$(completiondir)/gpuladder
uninstall:
	rm -f $(addprefix $(DESTDIR)$(layerdir)/,$(notdir $(layers)))
	rm -f $(DESTDIR)$(bindir)/gpuladder $(DESTDIR)$(mandir)/man1/gpuladder.1 $(DESTDIR)$(completiondir)/gpuladder
clean:
	rm -rf build build-asan

-include $(objects:.o=.d) $(tests:=.d)
