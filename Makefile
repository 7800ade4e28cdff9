# Two commands on a fresh machine: `make dashboard` and `make test`.
VENV ?= .venv
PYTHON ?= python3
RUN ?= assets/demo
PORT ?= 8501
BIN := $(VENV)/bin
# Tests wait for browsers about as much as they compute, so one process more than there are cores, up to 4.
WORKERS ?= $(shell $(PYTHON) -c "import os; print(min(4, (os.cpu_count() or 1) + 1))")

.PHONY: dashboard test lint types demo pictures benchmark-swav benchmark-drops benchmark-leaf benchmark-attribution benchmark-planted \
  benchmark-faithfulness benchmark-map install install-dev browser clean

dashboard: install
	$(BIN)/streamlit run dashboard/app.py --server.port $(PORT) -- --run $(RUN)

test: install-dev browser
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(PYTEST_ARGS)

lint: install-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install-dev
	$(BIN)/mypy

demo: install
	$(BIN)/rice-ssl run pipelines/recipes/demo.yaml

# The README's pictures, of the demo run.
pictures: install-dev browser
	$(BIN)/python -m tests.browser.pictures

# Our pretraining step beside its floor and lightly's loop; about four minutes.
benchmark-swav: install-dev
	$(BIN)/python -m tests.benchmarks.swav

# Our search for drops beside ruptures over 1,000 generated logs, as a table and assets/drops-recall.svg; about five minutes.
benchmark-drops: install-dev
	$(BIN)/python -m tests.benchmarks.drops --figure assets/drops-recall.svg

# Our one pass beside the raw forward, captum and pytorch-grad-cam (installed aside for it); about five minutes.
benchmark-attribution: install-dev
	$(BIN)/python -m tests.benchmarks.attribution

# Is a planted perfect map ranked above Grad-CAM above random ones? On the demo's simulated images; about four minutes.
benchmark-planted: install-dev
	$(BIN)/python -m tests.benchmarks.planted

# Our faithfulness measures beside those of Quantus and pytorch-grad-cam (installed aside for it); half a minute.
benchmark-faithfulness: install-dev
	$(BIN)/python -m tests.benchmarks.faithfulness_peers

# Another leaf, class and opacity on the Leaf screen, from the click to the painted frame; about a minute.
benchmark-leaf: install-dev browser
	$(BIN)/python -m tests.benchmarks.leaf

# The Map screen with 2,000, 100,000 and 1,000,000 images, beside a plain plotly scatter; about fifteen minutes, 1 GB of disk.
benchmark-map: install-dev browser
	$(BIN)/python -m tests.benchmarks.map

install: $(VENV)/.installed
install-dev: $(VENV)/.installed-dev

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

# Browser tests drive Debian's Chromium; elsewhere put any Chromium on the PATH.
browser:
	@command -v chromium >/dev/null || { command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] \
	  && apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null; } \
	  || echo "No chromium: the browser tests will be skipped (install it with: apt-get install chromium)."

clean:
	rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache
