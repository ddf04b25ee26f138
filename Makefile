# SPDX-License-Identifier: Apache-2.0
# A thin front over Meson. `make help` lists the targets.
BUILD  ?= build
PREFIX ?= /usr/local
PYTHON := /usr/bin/python3
MESON  := /usr/bin/meson
# Unit tests of what depends on the kind of cgroups.
V2_UNIT := $(addprefix unit/engine/test_engine_,cgroup cgroup_v2 devices_policy) unit/erofs/test_mount
V2_OCI := $(filter-out %/fakebus.py %/ocibox.py %/schema.py %/systemd_real.py,$(wildcard tests/oci/*.py))

.PHONY: help setup build run run-isolation test check bench bench-oci bench-pull bench-vm format install clean images guest guest-kernel guest-qemu test-powercut test-systemd test-v2 windows windows-libraries

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1	/p' $(MAKEFILE_LIST) | expand -t 16

setup: ## install the packages that a build needs (Debian, root)
	@sh tools/setup build

$(BUILD)/build.ninja:
	@$(MESON) setup $(BUILD) --prefix=$(PREFIX) -Dtests=false >/dev/null

build: setup $(BUILD)/build.ninja ## build/zlayer, build/zlayer-shim, build/zlayer-unpack
	@ninja -C $(BUILD) $(if $(V),-v,--quiet)

images: build ## the example image, an OCI layout made of Debian's busybox-static
	@test -e $(BUILD)/images/hello/index.json || $(PYTHON) tools/mkhello $(BUILD)/images/hello

run: build images ## build all and run the example deployment (root)
	@sh examples/hello.sh $(BUILD)

guest: build ## Debian's kernel for `isolation: hyperv`, into build/guest/debian (root)
	@sh tools/setup guest vm
	@$(PYTHON) tools/mkguest --init $(BUILD)/zlayer-guest debian $(BUILD)/guest

guest-kernel: build ## our own, which starts faster; its build takes minutes, once (root)
	@sh tools/setup kernel vm
	@$(PYTHON) tools/mkguest --init $(BUILD)/zlayer-guest kernel $(BUILD)/guest

guest-qemu: setup ## our own QEMU, which keeps translated code; its build takes minutes, once (root)
	@sh tools/setup qemu vm
	@$(PYTHON) tools/mkqemu $(BUILD)/guest

run-isolation: build images ## the same program with the node's kernel and with one of its own (root)
	@sh tools/setup vm
	@$(MAKE) --no-print-directory $$(test -e $(BUILD)/guest/zlayer/kernel.json && echo guest-kernel || echo guest)
	@sh examples/isolation.sh $(BUILD)

build-windows/build.ninja:
	@$(MESON) setup build-windows --cross-file cross/mingw-w64-x86_64.ini -Dtests=false --buildtype=release >/dev/null

# The third-party libraries, once; then what links them.
windows-libraries: setup
	@sh tools/setup windows
	@$(PYTHON) tools/mkwindows $(BUILD)/windows-libraries

windows: windows-libraries build-windows/build.ninja ## build-windows/zlayer.exe, zlayer-shim.exe and libzlayer, cross-compiled for Windows
	@ninja -C build-windows $(if $(V),-v,--quiet)

test: build images ## all tests (root); ends with "N passed, N failed"
	@sh tools/setup test vm guest kernel qemu windows wine
	@$(MAKE) --no-print-directory -j4 guest guest-kernel guest-qemu windows-libraries # each is partly serial
	@$(PYTHON) tools/runtests

test-v2: setup ## cgroup, conformance and OCI command line tests where there is only cgroup v2, in a virtual machine (root)
	@sh tools/setup test vm guest
	@test -e build-test/build.ninja || $(MESON) setup build-test -Dfaults=true >/dev/null
	@ninja -C build-test --quiet $(addprefix tests/,$(V2_UNIT) conformance/conformance oci/oci_helper oci/oci_nosys) \
	  zlayer-oci zlayer-shim zlayer-unpack
	@$(PYTHON) tools/vmtest $(addprefix tests/,$(V2_UNIT)) "tests/conformance/conformance linux" $(V2_OCI)

test-powercut: build ## the power fails 30 times in the middle of a pull, in virtual machines (root; half an hour)
	@sh tools/setup test vm guest
	@$(PYTHON) tests/powercut/powercut.py

test-systemd: setup ## the OCI command line with --systemd-cgroup under a real systemd with cgroup v2, hybrid and v1, in virtual machines (root)
	@sh tools/setup test vm guest systemd
	@test -e build-test/build.ninja || $(MESON) setup build-test -Dfaults=true >/dev/null
	@ninja -C build-test --quiet tests/oci/oci_helper tests/oci/oci_nosys zlayer-oci
	@$(PYTHON) tools/vmtest --systemd tests/oci/systemd_real.py
	@$(PYTHON) tools/vmtest --systemd --append systemd.unified_cgroup_hierarchy=0 tests/oci/systemd_real.py
	@$(PYTHON) tools/vmtest --systemd tests/oci/systemd_real.py \
	  --append "systemd.unified_cgroup_hierarchy=0 systemd.legacy_systemd_cgroup_controller=1"

check: setup ## format, layer law, style, clang-tidy, cppcheck, spelling
	@sh tools/setup test check
	@$(PYTHON) tools/check

bench: build images ## start, exec and memory against crun and podman, interleaved (root, quiet machine)
	@sh tools/setup test
	@$(PYTHON) bench/start

bench-oci: build ## the OCI command line against crun, runc and the bare kernel, interleaved (root, quiet machine)
	@sh tools/setup test
	@$(PYTHON) bench/oci

bench-pull: build ## cold pulls of each kind of layers against podman and containerd, interleaved (root, quiet machine)
	@sh tools/setup test images
	@$(PYTHON) bench/pull

bench-vm: build images guest guest-kernel guest-qemu ## start, exec and memory of machines against bare QEMU, interleaved (root, quiet machine)
	@sh tools/setup test vm
	@$(PYTHON) bench/vm

format: ## apply .clang-format
	@git ls-files '*.c' '*.h' | xargs clang-format -i

install: build ## into PREFIX (default /usr/local), with the guest kernels that were made
	@$(MESON) install -C $(BUILD)

clean: ## remove the build directories
	@rm -rf $(BUILD) build-test build-asan build-tidy build-windows build-windows-test
