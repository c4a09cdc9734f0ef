# Commands for developers: make demo, test, fuzz, soak, lint, bench, notebooks, docs, package. Each target sets up the environment that it needs, once.

# The demo: a table (the name of a data set, or a file of runs), a law, and options. These runs are too small to identify an
# irreducible loss, which fits put at zero; 16 starts end at one optimum; 2,000 draws are enough for 90% bands. NUTS does not
# converge in 500 draws a chain here, and importance sampling does. The law alone forecasts the largest of these runs badly; --ensemble forecasts those in
# 16 bits by several laws, with bands corrected by a backtest inside the table, which hold them (docs/forecasts.md).
DEMO_TABLE := precision-runs
DEMO_LAW := precision
DEMO_FLAGS := --fix E=0 --starts 16 --sampler importance --draws 500 --ensemble

VENV ?= .venv
BIN := $(VENV)/bin
PYTEST_WORKERS ?= 2
# Each worker gets one half of the tests in their order, so that fixtures and compiled code of a file serve all its tests.
PYTEST_PARALLEL := -n $(PYTEST_WORKERS) --dist worksteal -p no:nbmake
PYTEST_FLAGS ?=
FUZZ_SCALE ?= 17
SOAK_MINUTES ?= 120

PUBLIC_NOTEBOOKS := notebooks/quickstart.ipynb

# Public data in a folder beside the repository is used from there, not downloaded.
ifndef JSCALE_DATA
ifneq ($(wildcard ../shared/data),)
export JSCALE_DATA := $(abspath ../shared/data)
endif
endif

# Interpreters to try, in this order; the first that is new enough is used. PYTHON=... on the command line overrides.
PYTHONS := python3 python3.13 python3.12 python3.11 python
NEW_ENOUGH := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in $(PYTHONS); do if $$p -c '$(NEW_ENOUGH)' 2>/dev/null; then echo $$p; break; fi; done)

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test fuzz soak lint format bench notebooks laws gallery docs package wheel smoke clean

help:
	@echo "make demo       fit, sample and plan from the $(DEMO_TABLE) runs: demo/report.html"
	@echo "make test       the tests"
	@echo "make fuzz       the fuzzers: 10,000 tables, 2,000 command lines, 500 posteriors, 100 signals (FUZZ_SCALE)"
	@echo "make soak       two hours of mixed calls with flat memory (SOAK_MINUTES)"
	@echo "make lint       ruff, pyright, import-linter"
	@echo "make format     format with ruff, apply its fixes, strip the outputs of notebooks"
	@echo "make bench      the benchmarks (start-up, memory, speed)"
	@echo "make notebooks  run every notebook from a clean kernel"
	@echo "make laws       write the catalogue of laws, docs/laws.md, from their declarations"
	@echo "make docs       the documentation site: site/index.html"
	@echo "make package    build the distributions in dist/ and check them"
	@echo "make wheel      build the wheel, and fit a law with its files alone"
	@echo "make smoke      the short tests on the newest other Python, if one is installed"
	@echo "make clean      remove environments, caches and the output of the demo"

demo: $(VENV)/.runtime
	@mkdir -p demo
	$(BIN)/jscale report $(DEMO_TABLE) --law $(DEMO_LAW) $(DEMO_FLAGS) --seed 0 --out demo/report.html
	@echo "The report: $(abspath demo/report.html)"

test: $(VENV)/.dev
	$(BIN)/python -m pytest $(PYTEST_PARALLEL) $(PYTEST_FLAGS)

fuzz: $(VENV)/.dev
	JSCALE_FUZZ_SCALE=$(FUZZ_SCALE) $(BIN)/python -m pytest tests/fuzz $(PYTEST_PARALLEL) $(PYTEST_FLAGS)

soak: $(VENV)/.dev
	JSCALE_SOAK_MINUTES=$(SOAK_MINUTES) $(BIN)/python -m pytest tests/fuzz/test_soak.py $(PYTEST_FLAGS)

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

# Notebooks of public data run where the data are or can be downloaded; where JSCALE_DATA names them, they must run.
notebooks: $(VENV)/.dev
	$(BIN)/python -m pytest --nbmake --nbmake-timeout=600 $(filter-out $(PUBLIC_NOTEBOOKS),$(wildcard notebooks/*.ipynb))
	@if [ -n "$$JSCALE_DATA" ] || $(BIN)/python -c "from jscale import runs; runs.dataset('chinchilla')" 2>/dev/null; then \
	  $(BIN)/python -m pytest --nbmake --nbmake-timeout=600 $(PUBLIC_NOTEBOOKS); \
	else echo "Not run, since they need the public data: $(PUBLIC_NOTEBOOKS)"; fi

laws: $(VENV)/.runtime
	@mkdir -p docs
	$(BIN)/python -m jscale.report.notation.cards docs/laws.md

# The figures of the gallery; they are not committed.
gallery: $(VENV)/.runtime
	$(BIN)/python docs/gallery.py docs/gallery

# Warnings are errors (strict in mkdocs.yml). EXECUTED names a folder of executed notebooks, whose outputs are then shown.
docs: $(VENV)/.docs laws gallery
	NO_MKDOCS_2_WARNING=1 JSCALE_EXECUTED="$(EXECUTED)" $(BIN)/mkdocs build --quiet --site-dir site
	@echo "The site: $(abspath site/index.html)"

package: $(VENV)/.docs
	rm -rf dist
	$(BIN)/python -m build --outdir dist .
	$(BIN)/python -m twine check --strict dist/*

# The files of the wheel, with the dependencies of $(VENV): nothing that a verb needs was left out of it.
wheel: $(VENV)/.dev
	rm -rf dist/wheel
	@if command -v uv >/dev/null 2>&1; then uv build --quiet --wheel --out-dir dist/wheel .; \
	else $(BIN)/python -m pip wheel -qq --disable-pip-version-check --no-deps --wheel-dir dist/wheel .; fi
	$(BIN)/python -m zipfile -e dist/wheel/*.whl dist/wheel/files
	PYTHONPATH=dist/wheel/files $(BIN)/python -P -c "import jscale; print(jscale.__file__, jscale.__version__); assert 'wheel' in jscale.__file__"
	PYTHONPATH=dist/wheel/files $(BIN)/python -P -m jscale fit precision-runs --starts 4

# A second environment, on the newest supported Python other than that of $(VENV).
smoke: $(VENV)/.dev
	@other=$$(sh .ci/other-python $(BIN)/python); \
	if [ -z "$$other" ]; then echo "No other Python from 3.11 on was found: nothing to compare with."; exit 0; fi; \
	$(MAKE) --no-print-directory .venv-smoke/.dev VENV=.venv-smoke PYTHON="$$other" && \
	echo "Short tests on $$(.venv-smoke/bin/python --version):" && \
	.venv-smoke/bin/python -m pytest -m smoke $(PYTEST_PARALLEL) -p no:cacheprovider $(PYTEST_FLAGS)

clean:
	rm -rf .venv .venv-smoke demo build dist site docs/gallery .pytest_cache .ruff_cache .import_linter_cache .benchmarks .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Environments. The stamps record what is installed; a change of pyproject.toml or of the version reinstalls.
$(VENV)/.runtime: pyproject.toml jscale/__init__.py
	$(call install,.)
	@touch $@

$(VENV)/.dev: pyproject.toml jscale/__init__.py
	$(call install,.[dev])
	@touch $@ $(VENV)/.runtime

$(VENV)/.docs: pyproject.toml jscale/__init__.py
	$(call install,.[docs])
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
