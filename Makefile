# make demo and make test do all the set-up that they need on a machine with Python 3.11 or newer and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo demo-lesion demo-importance demo-ageing test docs bench dist tried lint format clean

demo: $(READY)
	$(BIN)/karikomi lottery --preset blog --replicates 5

demo-lesion: $(READY)
	$(BIN)/karikomi lesion

demo-importance: $(READY)
	$(BIN)/karikomi importance

demo-ageing: $(READY)
	$(BIN)/karikomi ageing --preset demo

test: $(READY) lint
	$(BIN)/pytest --numprocesses auto --dist worksteal

# The site, in site/; fails for a link or an anchor that leads nowhere.
docs: $(READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# More than an hour on two quiet cores. BENCH=lesions measures that part alone, BENCH=--quick takes two minutes
# and writes nothing. sparseprop needs g++ and AVX2, and pybind11 to build, which it does not ask for; it may be missing.
bench: $(READY)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[bench]'
	-$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation sparseprop==0.1.14
	$(BIN)/python benchmarks $(BENCH)

# A wheel and an sdist, about 12 MB each since MNIST is inside, each installed into an empty environment, with wheels alone
# of all that they need, and tried there.
dist: $(READY)
	rm -rf dist
	$(BIN)/python -m build --no-isolation
	for file in dist/*.whl dist/*.tar.gz; do $(MAKE) tried FILE=$$file || exit; done

tried:
	$(PYTHON) -m venv --clear dist/.venv
	dist/.venv/bin/pip install --quiet --disable-pip-version-check torch==2.13.0
	dist/.venv/bin/pip install --quiet --disable-pip-version-check --only-binary :all: --no-binary karikomi $(FILE)
	cd dist && .venv/bin/karikomi lottery --preset quick --out .run
	rm -rf dist/.venv dist/.run

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# torch comes first and alone, so that pip takes a CPU build where one is offered and nothing replaces it later.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check torch==2.13.0
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test]'
	touch $@

clean:
	rm -rf $(VENV) site .pytest_cache .ruff_cache .hypothesis
