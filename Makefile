# Two commands do all the set-up, with only python3 (3.11 or newer), pip and make:
#   make demo    environment, install, grow the nano zoo, show what is in it, write its report
#   make test    environment, install, style, types, layers, all tests

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
ZOO    ?= zoos/nano
# Processes that test; 0: one after another, so that tests of time have the machine to themselves.
WORKERS ?= 2

.PHONY: demo test install style types layers tests ray slow figures clean

demo: install
	$(BIN)/vitzoo grow nano --zoo $(ZOO)
	$(BIN)/vitzoo ls $(ZOO)
	$(BIN)/vitzoo report $(ZOO) --refine "test_acc > 0.65"
	@echo
	@echo "Open reports/nano/index.html in a browser: tables, figures, and the paper's findings tested on this zoo."
	@echo "The zoo is in $(ZOO). Ask it things:"
	@echo "  $(BIN)/vitzoo ls $(ZOO) --where \"optimizer='adamw' AND lr=0.001 AND epoch>=4\""
	@echo "  $(BIN)/vitzoo verify $(ZOO) --deep"
	@echo "  $(BIN)/vitzoo measure $(ZOO) --by optimizer,lr"
	@echo "  $(BIN)/vitzoo plan tiny-cifar"

test: install style types layers tests

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $(STAMP)

style: install
	$(BIN)/ruff check src tests benchmarks docs
	$(BIN)/ruff format --check src tests benchmarks docs

types: install
	$(BIN)/pyright

layers: install
	$(BIN)/lint-imports

tests: install
	$(BIN)/pytest -n $(WORKERS) --dist loadfile

ray: install
	$(BIN)/pytest -m ray tests/growing

slow: install
	$(BIN)/pytest -m slow

figures: install
	$(BIN)/python docs/figures.py $(ZOO) --measured

clean:
	rm -rf $(VENV) build dist *.egg-info src/*.egg-info .pytest_cache .ruff_cache .hypothesis
