# Every command a newcomer needs; `make` alone lists them.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
ITS_VERSION := import sys; print(sys.version_info)
# The suite starts services as processes by the dozen: whoever forbids compiled files has every one of them compile everything.
unexport PYTHONDONTWRITEBYTECODE

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c '$(ITS_VERSION); sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 || { \
		echo "wugan needs Python 3.11 or newer, and $(PYTHON) is none: name one that is, as in: make PYTHON=python3.11 demo" >&2; exit 1; }
	@test "$$($(BIN)/python -c 'import pip; $(ITS_VERSION)' 2>/dev/null)" = "$$($(PYTHON) -c '$(ITS_VERSION)')" || { \
		$(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
			echo "$(PYTHON) makes no virtual environments; on Debian and Ubuntu: apt install $(notdir $(PYTHON))-venv" >&2; exit 1; }; \
		$(PYTHON) -m venv --clear $(VENV); }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/python -m pip check --quiet
	@# Once here, rather than by every process that is started first thing and at the same time.
	@$(BIN)/python -m compileall -q services shared deploy tests
	@touch $@

setup: $(INSTALLED) ## .venv with everything, from pinned versions

demo: setup ## a city at 1 % through the real parts, then it stays up to be looked at
	$(BIN)/wugan demo

up: setup ## the five services with PostgreSQL, NATS and gateway on this machine
	$(BIN)/wugan up

test: setup ## the whole suite (five to eight minutes on two cores)
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -q

cover: setup ## which lines the suite does not reach, in its own processes and in those it starts
	@mkdir -p var/coverage
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -q --cov --cov-report=term-missing:skip-covered

check: setup ## lint, types, layers, spelling, dependencies
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/codespell
	$(BIN)/deptry . 2>&1

fmt: setup ## format and mend what can be mended by a tool
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

account: setup ## a city of 3.8 million records through ingest alone, each row held against the city's ledger
	$(BIN)/python -m tests.bench.accounting --scale 0.1

limits: setup ## hostile files against ingest with its real limits: answers and peak memory
	$(BIN)/python -m tests.bench.limits

fuzz: setup ## made-up requests against recognition, alone and in sequences (n=300 m=30): nothing breaks, nothing is undocumented
	WUGAN_FUZZ_EXAMPLES=$(or $(n),300) $(BIN)/python -m pytest -q -p no:randomly tests/services/recognition/test_fuzz.py
	$(BIN)/python -m tests.support.stateful --minutes $(or $(m),30)

bench: setup ## figures beside their baselines, written to docs/benchmarks.md
	$(BIN)/python -m tests.bench

accuracy: setup ## how right the rules are, beside three baselines, written to docs/accuracy.md
	$(BIN)/python -m tests.bench.accuracy

city: setup ## the whole city (or s=0.1 of it) beside the same work by hand; an hour or so
	$(BIN)/python -m tests.bench.city --scale $(or $(s),1)

profile: setup ## where the time of a city goes, by function, statement and stream, written to docs/profile.md (s=0.1)
	$(PYTHON) -m venv var/spy
	var/spy/bin/python -m pip install --quiet --disable-pip-version-check py-spy==0.4.3
	$(BIN)/python -m tests.bench.profile --spy var/spy/bin/py-spy --scale $(or $(s),0.1)

year: setup ## a year of the city at 1 %, month by month, with checks; writes docs/year.md (s=0.002 only shows it)
	$(BIN)/python -m tests.year $(if $(s),--scale $(s),--write)

chaos: setup ## a small city while its parts break, one after the other; must end as if nothing had happened; goes on where it was broken off
	$(BIN)/python -m tests.chaos --folder var/chaos

scaling: setup ## 1, 10 and 100 % of the city, one and two processes, three NATS servers, one killed; writes docs/scaling.md; goes on where it was
	$(BIN)/python -m tests.bench.scaling

soon: setup ## the demo's minute, and how soon a partner knows of a posted record, written to docs/soon.md
	$(BIN)/python -m tests.bench.soon

audit: ## known holes in what is pinned, as PyPI knows them; code is held by ruff's S, which are bandit's rules
	$(PYTHON) -m venv var/audit
	var/audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit==2.10.1
	var/audit/bin/pip-audit --strict --disable-pip --require-hashes -r requirements.lock

webhooks: setup ## the npm library of Standard Webhooks verifies ours (needs node and npm)
	npm install --prefix var/npm --no-save --silent standardwebhooks@1.0.0
	$(BIN)/python -m tests.support.signed_webhooks | NODE_PATH=var/npm/node_modules node tests/support/verify_webhooks.cjs

spectral: ## the recorded OpenAPI documents keep the OWASP rules (needs node and npm)
	npm install --prefix var/spectral --no-save --silent @stoplight/spectral-cli@6.16.3 @stoplight/spectral-owasp-ruleset@2.0.1
	var/spectral/node_modules/.bin/spectral lint docs/openapi/*.json --ruleset docs/openapi/spectral.yaml --fail-severity warn

migrate: setup ## a new migration of one service: make migrate s=ingest m="what it does"
	$(BIN)/python -m tests.support.new_migration "$(s)" "$(m)"

schema: setup ## record event and HTTP contracts anew
	$(BIN)/python -m tests.support.record

lock: setup ## pin versions anew (needs pip-tools)
	$(BIN)/python -m piptools compile --quiet --extra dev --generate-hashes --no-emit-options --strip-extras \
		--allow-unsafe --no-header -o requirements.lock pyproject.toml

.PHONY: help setup demo up test cover check fmt fuzz account limits bench accuracy city profile year chaos scaling soon audit webhooks spectral migrate schema lock
