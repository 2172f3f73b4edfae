# Both `make demo` and `make test` set up what they need; neither needs anything done before.
.DEFAULT_GOAL := help
.PHONY: help demo test check lint diagrams mutants lock bench clean

PY := .venv/bin/python

help:
	@echo "make demo      eight simulated calls with recorded speech, and what happened in each"
	@echo "make test      every check and every test"
	@echo "make diagrams  draw the machine anew (needs graphviz) and write docs/configuration.md"
	@echo "make mutants   break the machine in every small way, see who notices, write docs/mutants.md (an hour)"
	@echo "make bench     what a frame costs, and what a call costs beside a bare relay (five minutes)"
	@echo "make lock      resolve the locked dependencies anew"

.venv/demo: requirements.lock pyproject.toml tools/setup.sh
	@tools/setup.sh requirements.lock $@

.venv/test: requirements-test.lock pyproject.toml tools/setup.sh
	@tools/setup.sh requirements-test.lock $@

demo: .venv/demo
	@$(PY) -m callfsm.sim.demo

lint: .venv/test
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(PY) -m callfsm.cli diagram --check
	$(PY) -m callfsm.audit.reference --check

check: lint
	$(PY) -m callfsm.cli verify

# The laws are proved beside the tests, each on a core of its own; what is wrong with them is printed behind them.
test: lint
	@$(PY) -m callfsm.cli verify > .verify.log 2>&1 & laws=$$!; \
	$(PY) -m pytest --cov; tested=$$?; \
	wait $$laws; proved=$$?; [ $$proved = 0 ] || cat .verify.log; exit $$((tested || proved))

diagrams: .venv/test
	$(PY) -m callfsm.cli diagram
	$(PY) -m callfsm.audit.reference

mutants: .venv/test
	$(PY) -m tools.mutants
	$(PY) -m tools.mutants --page

bench: .venv/test
	$(PY) bench/frame.py
	$(PY) bench/calls.py

lock: .venv/test
	$(PY) -m pip install -q uv
	$(PY) -m uv pip compile -q --universal --generate-hashes --no-header pyproject.toml -o requirements.lock
	$(PY) -m uv pip compile -q --universal --generate-hashes --no-header --extra test pyproject.toml -o requirements-test.lock

clean:
	rm -rf .verify.log .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis build *.egg-info .coverage
