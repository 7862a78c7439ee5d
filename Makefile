# make demo: sets up, runs the quickstart and the plateau, says where their reports are.   make test: sets up, passes the tests.
# make lab: sets up .venv with the laboratory.   make torch: with the drop-in for PyTorch.
# make watch: with the live page.   make ray, make slurm: with what --on ray and --on slurm need.
# make check: lint, types, import contracts.   make bench-quick: benchmarks in three minutes.
# make bench: all benchmarks, an hour or two.   make bench-history: the same, kept in benchmarks/history with its picture.
# make records: render the pages that state results from the rows of the records.
# make gallery: train the plateau, draw the pictures of docs/gallery.md.
# make docs: write the generated pages, build the site into build/site.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: lab torch watch ray slurm demo test check records docs gallery bench bench-quick bench-history clean

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "anglewise needs Python 3.11 or newer; got $$($(PYTHON) --version). Try: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv

.venv/.demo: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[lab]'
	@touch $@

# the release of PyTorch that the tests run on: other releases may bring gigabytes of CUDA
.venv/.torch: .venv/bin/python pyproject.toml requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements-dev.txt -e '.[torch]'
	@touch $@

.venv/.watch: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[lab,watch]'
	@touch $@

.venv/.ray .venv/.slurm: .venv/.%: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[lab,$*]'
	@touch $@

.venv/.dev: .venv/bin/python pyproject.toml requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[lab,torch,watch,ray,slurm]'
	@touch $@ .venv/.demo .venv/.torch .venv/.watch .venv/.ray .venv/.slurm

lab: .venv/.demo

torch: .venv/.torch

watch: .venv/.watch

ray: .venv/.ray

slurm: .venv/.slurm

demo: .venv/.demo
	$(BIN)/anglewise run quickstart
	$(BIN)/anglewise run plateau --readings default,embedding

test: .venv/.dev
	$(BIN)/python -m pytest -n 2 --dist loadgroup --no-loadscope-reorder

check: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

records: .venv/.dev
	$(BIN)/python -m records.render

docs: .venv/.dev
	$(BIN)/python -m docs.generate
	$(BIN)/python -m sphinx --fail-on-warning --quiet -b html -c docs -d build/site-cache . build/site
	@echo "the site: build/site/index.html"

gallery: .venv/.demo
	$(BIN)/python -m docs.gallery

bench: .venv/.dev
	$(BIN)/python -m benchmarks

bench-quick: .venv/.dev
	$(BIN)/python -m benchmarks --quick --out build/bench-quick.json

bench-history: .venv/.dev
	$(BIN)/python -m benchmarks --history
	$(BIN)/python -m benchmarks.picture

clean:
	rm -rf .venv build
