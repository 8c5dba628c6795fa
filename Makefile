# `make demo` shows the program, `make test` checks it. Both set up .venv first; see README.md.
# On a machine without an NVIDIA GPU `make demo TORCH=cpu` saves 5 GB.

ARGS ?=
VENV := .venv/bin

# The first Python that fits: python3 may be older than what else is installed.
ifndef PYTHON
PYTHON := $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null \
	&& echo $$python && break; done)
endif
NO_PYTHON := echo 'Python 3.11 to 3.14 is needed, and none was found.' >&2; exit 1;
SET_UP := @$(if $(PYTHON),$(PYTHON) packaging/bootstrap.py $(if $(TORCH),--torch $(TORCH)),$(NO_PYTHON))

# A window manager is no part of Xvfb; the end-to-end tests need none.
XVFB := $(if $(DISPLAY)$(WAYLAND_DISPLAY),,$(if $(shell command -v xvfb-run),QT_QPA_PLATFORM=xcb xvfb-run -a -s '-screen 0 1920x1200x24'))

.PHONY: demo test lint unit end-to-end bench fuzz train-starter train-models evaluate-models pins clean

demo:
	$(SET_UP) demo
	@$(VENV)/python -m ctviewer demo $(ARGS)

test:
	$(SET_UP) test
	@$(MAKE) --no-print-directory lint unit end-to-end

lint:
	$(SET_UP) test
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .
	$(VENV)/mypy
	$(VENV)/lint-imports

unit:
	$(SET_UP) test
	QT_QPA_PLATFORM=offscreen $(VENV)/python -m pytest -m "not end_to_end" $(ARGS)

end-to-end:
	$(SET_UP) test
	$(XVFB) $(VENV)/python -m pytest -m end_to_end $(ARGS) tests/end_to_end

bench:
	$(SET_UP) test
	$(VENV)/python tests/benchmarks/run.py $(ARGS)

# Thousands of damaged files of every kind: `make fuzz ARGS="--cases 5000 --seed 1 --only jpeg_ls"`.
fuzz:
	$(SET_UP) test
	@PYTHONPATH=tests $(VENV)/python -m fuzz $(ARGS)

# The models that learn from patients; their data sets are yours to have: `make train-models ARGS="lesions --covid19-ct-seg PATH ..."`.
train-models:
	$(SET_UP) demo
	$(VENV)/python packaging/train_models.py $(ARGS)

train-starter:
	$(SET_UP) demo
	$(VENV)/python packaging/train_starter.py $(ARGS)

# How good the models are, where that takes longer than the tests: every figure of the cards. Parts and bundles can be named:
# `make evaluate-models ARGS="--only patients scope --model infection-lesions --write"`. It can be interrupted.
evaluate-models:
	$(SET_UP) demo
	$(VENV)/python packaging/evaluate_models.py $(ARGS)

# New pins: the newest versions that fit pyproject.toml and pins.in, as names, versions and hashes alone.
pins:
	$(SET_UP) test
	$(VENV)/uv pip compile pyproject.toml packaging/pins.in --extra test --upgrade --universal --fork-strategy fewest \
		--python-version 3.11 --generate-hashes --no-annotate --no-header --quiet -o packaging/constraints.txt
	! grep -nE '://|--(index|extra-index|find-links)' packaging/constraints.txt

clean:
	rm -rf .venv build dist out .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
