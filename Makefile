# Both `make demo` and `make test` set up what they need; neither needs anything done before.
.DEFAULT_GOAL := help
.PHONY: help demo test check lint diagrams mutants lock bench soak fuzz clean

PY := .venv/bin/python
CALLS ?= 30
MINUTES ?= 5
SECONDS ?= 60

help:
	@echo "make demo      eight simulated calls with recorded speech, and what happened in each"
	@echo "make test      every check and every test"
	@echo "make diagrams  draw the machine anew (needs graphviz) and write docs/configuration.md"
	@echo "make mutants   break the machine in every small way, see who notices, write docs/mutants.md (an hour)"
	@echo "make bench     what a frame costs, and what a call costs beside a bare relay (five minutes)"
	@echo "make soak      hostile and healthy calls on the real server, judged from outside (CALLS=30 MINUTES=5)"
	@echo "make fuzz      coverage-guided fuzzing of the codecs and the machine (SECONDS=60)"
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

# The laws are proved beside the linters, each on a core of its own; then the tests have all cores. What is wrong with
# the laws is printed ahead of the tests, whose closing line is the last.
test: .venv/test
	@$(PY) -m callfsm.cli verify > .verify.log 2>&1 & laws=$$!; \
	$(MAKE) --no-print-directory lint || { kill $$laws 2>/dev/null; exit 1; }; \
	wait $$laws; proved=$$?; [ $$proved = 0 ] || cat .verify.log; \
	$(PY) -m pytest --cov -n auto --dist worksteal; tested=$$?; exit $$((tested || proved))

diagrams: .venv/test
	$(PY) -m callfsm.cli diagram
	$(PY) -m callfsm.audit.reference

mutants: .venv/test
	$(PY) -m tools.mutants
	$(PY) -m tools.mutants --page

bench: .venv/test
	$(PY) bench/frame.py
	$(PY) bench/calls.py

soak: .venv/test
	@$(PY) -m bench.soak --calls $(CALLS) --minutes $(MINUTES)

# The fuzzer is in no lock: it has wheels for some machines only, and nothing but this needs it.
fuzz: .venv/test
	@$(PY) -c "import atheris" 2>/dev/null || \
	$(PY) -m pip install --quiet --disable-pip-version-check --only-binary :all: "atheris>=3,<4" >/dev/null 2>&1 || \
	{ echo "fuzz: the package atheris cannot be installed here (it has wheels for CPython 3.11 to 3.13 on Linux, x86-64)" >&2; exit 2; }
	@$(PY) -m tools.fuzz --seconds $(SECONDS)

lock: .venv/test
	$(PY) -m pip install -q uv
	$(PY) -m uv pip compile -q --universal --generate-hashes --no-header pyproject.toml -o requirements.lock
	$(PY) -m uv pip compile -q --universal --generate-hashes --no-header --extra test pyproject.toml -o requirements-test.lock

clean:
	rm -rf .verify.log .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis build *.egg-info .coverage
