# Two commands do everything, set-up included: `make demo` and `make test`.
#
# Options, each written after the target:
#   PYTHON=python3.12      interpreter to build .venv with (3.11 or newer)
#   TORCH_INDEX=URL        package index for torch alone; see docs/install.md
#   OUT=demo-out           where `make demo` writes
#   ARGS="-k camera"       more arguments for pytest

SHELL := /bin/bash
OUT ?= demo-out
ARGS ?=
TORCH_INDEX ?=
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c '$(NEW_ENOUGH)' 2>/dev/null && echo $$python && break; done)
TORCH := $(shell grep '^torch==' constraints.txt)
PIP := .venv/bin/python -m pip
INSTALL := $(PIP) install --disable-pip-version-check -c constraints.txt

NATIVE_SOURCES := CMakeLists.txt $(wildcard recon/kernels/cpp/*)
# Loud where it is missing: pip keeps what a build says to itself unless it is asked with -v.
NATIVE_CHECK := .venv/bin/python -c 'from render.console.doctor import native_notice; print(native_notice())'

.PHONY: demo test test-nerfstudio test-triton lint docs native install install-dev install-docs clean
.DELETE_ON_ERROR:

demo: .venv/native
	.venv/bin/otherlane demo --out $(OUT)

test: .venv/installed-dev .venv/native
	.venv/bin/python -m pytest -n 2 --dist worksteal $(ARGS)

# nerfstudio as a host, in an environment of its own: it needs packages that would break ours.
test-nerfstudio: .venv-nerfstudio/installed
	.venv-nerfstudio/bin/python -m pytest -W ignore tests/recon/test_adapters_nerfstudio.py $(ARGS)

# Triton's kernels without a GPU, by its interpreter and its compiler, in an environment of their own:
# a CPU build of torch comes without triton, whose wheel takes 600 MB.
test-triton: .venv-triton/installed
	TRITON_INTERPRET=1 .venv-triton/bin/python -m pytest -n 2 --dist loadfile \
		tests/recon/test_triton_*.py $(ARGS)

lint: .venv/installed-dev
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/pyright
	.venv/bin/lint-imports --no-cache --no-logo

docs: .venv/installed-docs
	NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --strict --quiet

# After a change to recon/kernels/cpp: compiles what changed and puts _native*.so into its place.
native: .venv/installed-native
	@.venv/bin/cmake --build build/native
	@.venv/bin/cmake --install build/native
	@$(NATIVE_CHECK)

install: .venv/installed
install-dev: .venv/installed-dev
install-docs: .venv/installed-docs

clean:
	rm -rf .venv .venv-nerfstudio .venv-triton site build dist recon/kernels/_native*.so

.venv/bin/python:
	@test -n "$(PYTHON)" && $(PYTHON) -c '$(NEW_ENOUGH)' || { \
		echo "otherlane needs Python 3.11 or newer; '$(or $(PYTHON),python3)' is older or missing."; \
		echo "  try: install one, then   make demo PYTHON=/path/to/python3.12"; exit 2; } >&2
	$(PYTHON) -m venv .venv || { rm -rf .venv; \
		echo "  try: on Debian and Ubuntu, apt install python3-venv" >&2; exit 2; }

# With TORCH_INDEX, torch comes from there and its own requirements from the usual place.
.venv/installed: pyproject.toml constraints.txt | .venv/bin/python
	$(if $(TORCH_INDEX),$(PIP) install --no-deps --index-url $(TORCH_INDEX) $(TORCH))
	@touch .venv/began
	$(INSTALL) -e .
	@find recon/kernels -name '_native*.so' ! -newer .venv/began -print -delete
	@$(NATIVE_CHECK)
	@touch $@

# otherlane itself is there already, so that these only add to it and compile nothing again.
.venv/installed-dev: .venv/installed
	$(INSTALL) "otherlane[dev,worlds,labels]"
	@touch $@

.venv/installed-docs: .venv/installed
	$(INSTALL) "otherlane[docs]"
	@touch $@

# The install above compiled it; a change of its sources since then is compiled here, where it can.
.venv/native: .venv/installed $(NATIVE_SOURCES)
	@if [ -e $@ ] && [ -n "$(filter $(NATIVE_SOURCES),$?)" ] && ls recon/kernels/_native*.so; \
		then $(MAKE) --no-print-directory native; fi
	@touch $@

.venv/installed-native: constraints.txt | .venv/installed
	$(INSTALL) cmake nanobind ninja
	rm -rf build/native
	PATH=$(CURDIR)/.venv/bin:$$PATH .venv/bin/cmake -S . -B build/native -G Ninja \
		-DPython_EXECUTABLE=$(CURDIR)/.venv/bin/python \
		-Dnanobind_DIR=$$(.venv/bin/python -m nanobind --cmake_dir)
	@touch $@

TRITON_PIP := .venv-triton/bin/python -m pip install --disable-pip-version-check -c constraints.txt

.venv-triton/installed: constraints.txt | .venv/bin/python
	test -e .venv-triton/bin/python || .venv/bin/python -m venv .venv-triton
	$(if $(TORCH_INDEX),$(TRITON_PIP) --no-deps --index-url $(TORCH_INDEX) $(TORCH))
	$(TRITON_PIP) torch triton beartype hypothesis jaxtyping msgspec numpy pillow pytest \
		pytest-xdist safetensors
	@touch $@

NERFSTUDIO := tests/nerfstudio_env
NERFSTUDIO_PIP := .venv-nerfstudio/bin/python -m pip install --disable-pip-version-check

.venv-nerfstudio/installed: pyproject.toml constraints.txt $(wildcard $(NERFSTUDIO)/*)
	test -e .venv-nerfstudio/bin/python || $(PYTHON) -m venv .venv-nerfstudio
	grep -v '^opencv' constraints.txt > .venv-nerfstudio/constraints.txt
	$(NERFSTUDIO_PIP) -c .venv-nerfstudio/constraints.txt -r $(NERFSTUDIO)/requirements.txt
	$(NERFSTUDIO_PIP) --no-deps -r $(NERFSTUDIO)/requirements-no-deps.txt
	$(NERFSTUDIO_PIP) --no-deps -C wheel.cmake=false -C wheel.py-api=py3 -e .
	cp $(NERFSTUDIO)/torchvision_on_cpu.py .venv-nerfstudio/lib/python3*/site-packages/
	echo 'import torchvision_on_cpu' > $$(echo .venv-nerfstudio/lib/python3*/site-packages)/torchvision_on_cpu.pth
	@touch $@
