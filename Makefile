# What a person does here: make demo, test, lint, bench, notebooks. Each target makes the environment that it needs, once.

# The table of the demo (the name of a data set, or a file of runs), the law that is fitted to it, and how. The runs are
# too small to tell of a floor: fits put it at zero; 2,000 draws are enough for 90% bands.
DEMO_TABLE := precision-runs
DEMO_LAW := precision
DEMO_FLAGS := --fix E=0 --warmup 500 --draws 500

VENV ?= .venv
BIN := $(VENV)/bin
PYTEST_WORKERS ?= 2
PYTEST_FLAGS ?=

# Public data that lies beside the repository is used from there, not downloaded.
ifndef JSCALE_DATA
ifneq ($(wildcard ../shared/data),)
export JSCALE_DATA := $(abspath ../shared/data)
endif
endif

# Interpreters to look at, in this order; the first that is new enough serves. PYTHON=... on the command line overrules.
PYTHONS := python3 python3.13 python3.12 python3.11 python
NEW_ENOUGH := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in $(PYTHONS); do if $$p -c '$(NEW_ENOUGH)' 2>/dev/null; then echo $$p; break; fi; done)

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test lint format bench notebooks docs smoke clean

help:
	@echo "make demo       fit, sample and plan from the $(DEMO_TABLE) runs: demo/report.html"
	@echo "make test       the tests"
	@echo "make lint       ruff, pyright, import-linter"
	@echo "make format     what ruff can mend, and notebooks without outputs"
	@echo "make bench      the benchmarks (start-up, memory, speed)"
	@echo "make notebooks  run every notebook"
	@echo "make docs       the catalogue of laws, docs/laws.md, from the laws' own declarations"
	@echo "make smoke      the short tests on the newest other Python, if there is one"
	@echo "make clean      remove environments, caches and the demo's output"

demo: $(VENV)/.runtime
	@mkdir -p demo
	$(BIN)/jscale report $(DEMO_TABLE) --law $(DEMO_LAW) $(DEMO_FLAGS) --seed 0 --out demo/report.html
	@echo "The report: $(abspath demo/report.html)"

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n $(PYTEST_WORKERS) $(PYTEST_FLAGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports --no-logo
	@if ls notebooks/*.ipynb >/dev/null 2>&1; then $(BIN)/nbstripout --verify notebooks/*.ipynb; fi

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	@if ls notebooks/*.ipynb >/dev/null 2>&1; then $(BIN)/nbstripout notebooks/*.ipynb; fi

bench: $(VENV)/.dev
	$(BIN)/python -m pytest benchmarks -s --benchmark-columns=min,median,max,rounds --benchmark-sort=name $(PYTEST_FLAGS)

notebooks: $(VENV)/.dev
	@if ls notebooks/*.ipynb >/dev/null 2>&1; then \
	  $(BIN)/python -m pytest --nbmake --nbmake-timeout=600 notebooks; \
	else echo "There are no notebooks yet."; fi

docs: $(VENV)/.runtime
	@mkdir -p docs
	$(BIN)/python -m jscale.report.notation.cards docs/laws.md

# A second environment on the newest Python that is neither too old nor the one of $(VENV).
smoke: $(VENV)/.dev
	@other=$$(sh .ci/other-python $(BIN)/python); \
	if [ -z "$$other" ]; then echo "No other Python from 3.11 on was found: nothing to compare with."; exit 0; fi; \
	$(MAKE) --no-print-directory .venv-smoke/.dev VENV=.venv-smoke PYTHON="$$other" && \
	echo "Short tests on $$(.venv-smoke/bin/python --version):" && \
	.venv-smoke/bin/python -m pytest -m smoke -n $(PYTEST_WORKERS) -p no:cacheprovider $(PYTEST_FLAGS)

clean:
	rm -rf .venv .venv-smoke demo build dist .pytest_cache .ruff_cache .import_linter_cache .benchmarks .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Environments. The stamps say what was installed; a change of pyproject.toml or of the version installs again.
$(VENV)/.runtime: pyproject.toml jscale/__init__.py
	$(call install,.)
	@touch $@

$(VENV)/.dev: pyproject.toml jscale/__init__.py
	$(call install,.[dev])
	@touch $@ $(VENV)/.runtime

define install
@if command -v uv >/dev/null 2>&1; then \
  echo "Setting up $(VENV) with uv (once, about a minute) ..."; \
  $(BIN)/python -c '' >/dev/null 2>&1 || uv venv --quiet --clear --python "$(or $(PYTHON),>=3.11)" $(VENV) && \
  uv pip install --quiet --compile-bytecode --python $(BIN)/python --editable "$(1)"; \
elif [ -n "$(PYTHON)" ]; then \
  echo "Setting up $(VENV) with pip (once, one to three minutes) ..."; \
  $(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV) && \
  $(BIN)/python -m pip install -qq --disable-pip-version-check --editable "$(1)"; \
else \
  echo "jscale needs Python 3.11 or newer with venv and pip, or uv; none was found. Name one: make PYTHON=/path/to/python" >&2; \
  exit 1; \
fi
endef
