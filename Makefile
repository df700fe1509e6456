# Everything from a fresh clone: `make run`, `make test`. Needs Python 3.11 or newer, make and git.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
LOCK := uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11 --all-extras pyproject.toml

# Behind a proxy that makes its own certificates those that the system trusts are to be used. pip does so from 24.2 on; an
# older one, as Python 3.11 brings, is given their file, if the environment names one.
export UV_SYSTEM_CERTS := 1
ifdef SSL_CERT_FILE
export PIP_CERT ?= $(SSL_CERT_FILE)
endif

.DEFAULT_GOAL := help
.PHONY: help run build run-postgres server serve stop test test-slow campaign lint bench bench-scale bench-patches pictures format lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(READY) server ## refresh the demonstration data through Prefect, and show the result
	@$(BIN)/refresh init
	@$(BIN)/refresh run

build: $(READY) ## the same without Prefect, for the quick loop
	@$(BIN)/refresh init
	@$(BIN)/refresh build

run-postgres: $(READY) ## the same from a PostgreSQL that is started for it, with the raw tables in it
	@$(BIN)/python -m tests.origins.demonstration

server: $(READY) ## start a Prefect server in the background, if none answers
	@$(BIN)/refresh server

serve: $(READY) ## Prefect's server, a worker and the API on this machine, until Ctrl-C
	@$(BIN)/refresh init
	@$(BIN)/refresh serve

stop: ## end what was started in the background
	@if [ -x $(BIN)/refresh ]; then $(BIN)/refresh stop; else echo "nothing to stop"; fi

test: $(READY) ## run the tests
	@$(BIN)/pytest -q -n 4 --dist worksteal -m "not slow" # more than the cores: the longest tests wait for other processes

test-slow: $(READY) ## run the sweeps that take minutes
	@$(BIN)/pytest -q -n 2 -m slow

campaign: $(READY) ## attack the whole product for 45 minutes, and judge what it did (SEED=… for the same plan again)
	@$(BIN)/python -m tests.campaign.run --minutes $(or $(MINUTES),45) $(if $(SEED),--seed $(SEED))

lint: $(READY) ## ruff and mypy, and the scripts of res/ too
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/refresh check --strict
	@$(BIN)/refresh sync --check
	@$(BIN)/refresh test

bench: $(READY) ## measure it against the shortest script, dbt and SQLMesh; twenty minutes
	@$(BIN)/python -m benchmarks.run

bench-scale: $(READY) ## measure it with 5,000 scripts, and with 10 million rows
	@$(BIN)/python -m benchmarks.run --rounds 1 --only scale

bench-patches: $(READY) ## measure what each change to Prefect brings
	@$(BIN)/python -m benchmarks.run --only patches

pictures: $(READY) ## make the pictures of README anew, in Chromium
	@$(BIN)/python -m tests.pictures

format: $(READY) ## let ruff correct what it can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

lock: $(READY) ## pin every dependency anew, with hashes
	@. $(BIN)/activate && $(LOCK) --upgrade --output-file requirements.txt
	@. $(BIN)/activate && $(LOCK) --upgrade --group dev --constraint requirements.txt --output-file requirements-dev.txt
	@. $(BIN)/activate && cd tests/emulator && $(subst --all-extras pyproject.toml,requirements-emulator.in,$(LOCK)) --upgrade --output-file requirements-emulator.txt

clean: stop ## forget the environment and the local warehouse
	rm -rf .venv .data

# The virtual environment, made anew when the locked dependencies change. uv installs them; it is installed first.
$(READY): requirements-uv.txt requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	@echo "installing the locked dependencies into .venv"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.txt
	@$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements-uv.txt requirements-dev.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-build-isolation --no-deps --editable .
	@touch $@

# Prefect on a server: work pools, deployments, workers. README and docs/deploy.md say when to use which.
.PHONY: deploy worker doctor

deploy: $(READY) server ## create or update Prefect's work pools, deployments and automation
	@$(BIN)/refresh deploy

worker: $(READY) server ## run what the deployments ask for, on this machine, until Ctrl-C
	@$(BIN)/refresh worker

doctor: $(READY) ## say what is set up, what is missing, and how to fix it
	@$(BIN)/refresh doctor
