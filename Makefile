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

.PHONY: demo test lint docs install install-dev install-docs clean
.DELETE_ON_ERROR:

demo: .venv/installed
	.venv/bin/otherlane demo --out $(OUT)

test: .venv/installed-dev
	.venv/bin/python -m pytest -n 2 --dist worksteal $(ARGS)

lint: .venv/installed-dev
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/pyright
	.venv/bin/lint-imports --no-cache --no-logo

docs: .venv/installed-docs
	NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --strict --quiet

install: .venv/installed
install-dev: .venv/installed-dev
install-docs: .venv/installed-docs

clean:
	rm -rf .venv site build dist

.venv/bin/python:
	@test -n "$(PYTHON)" && $(PYTHON) -c '$(NEW_ENOUGH)' || { \
		echo "otherlane needs Python 3.11 or newer; '$(or $(PYTHON),python3)' is older or missing."; \
		echo "  try: install one, then   make demo PYTHON=/path/to/python3.12"; exit 2; } >&2
	$(PYTHON) -m venv .venv || { rm -rf .venv; \
		echo "  try: on Debian and Ubuntu, apt install python3-venv" >&2; exit 2; }

# With TORCH_INDEX, torch comes from there and its own requirements from the usual place.
.venv/installed: pyproject.toml constraints.txt | .venv/bin/python
	$(if $(TORCH_INDEX),$(PIP) install --no-deps --index-url $(TORCH_INDEX) $(TORCH))
	$(INSTALL) -e .
	@touch $@

.venv/installed-dev: .venv/installed
	$(INSTALL) -e ".[dev,worlds,labels]"
	@touch $@

.venv/installed-docs: .venv/installed
	$(INSTALL) -e ".[docs]"
	@touch $@
