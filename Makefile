# Zupa's commands. `make run` and `make test` are all a new machine needs besides Python 3.11+ and make.

PYTHON ?= python3
ARGS ?=
BIN := .venv/bin
MANAGE := $(BIN)/python manage.py
export PIP_DISABLE_PIP_VERSION_CHECK = 1

# `check --deploy` needs production's settings; these secrets are made for that one command and kept nowhere.
PRODUCTION = ZUPA_ENV=production ALLOWED_HOSTS=zupa.example.org DATABASE_URL=postgresql://nobody@localhost/none \
	SECRET_KEY="$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(64))')" \
	FIELD_ENCRYPTION_KEYS="$$($(BIN)/python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())')"

.PHONY: help run test chaos bench check format lock install install-dev browser clean

help: ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1	\2/p' Makefile | expand -t 20

run: install ## start everything with the demo and say where to click; Ctrl-C stops it
	@$(MANAGE) run

test: install-dev browser ## run every test; ARGS="-k name" narrows
	@$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadgroup $(ARGS)

chaos: install-dev ## the chaos tests for an hour or so: kills, faults and outages as long as in life; ARGS="-k name" narrows
	@ZUPA_CHAOS=long $(BIN)/python -m pytest -m chaos -o timeout=3600 tests/chaos tests/stateful tests/crash $(ARGS)

bench: install-dev ## measure, alone on the machine; ARGS="load --minutes 10" names what; docs/performance.md says how
	@$(BIN)/python -m bench $(ARGS)

check: install-dev ## format, lint, types, import contracts, migrations, production settings, translations
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy .
	$(BIN)/lint-imports
	$(MANAGE) makemigrations --check --dry-run
	@$(PRODUCTION) $(MANAGE) check --deploy --fail-level WARNING
	$(MANAGE) translations --check

format: install-dev ## format and mend what can be mended without thinking
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

install: .venv/.installed
install-dev: .venv/.installed-dev

.venv/.created:
	@command -v $(PYTHON) >/dev/null || { echo "Zupa needs Python 3.11 or newer, and '$(PYTHON)' is not there: install it, or say PYTHON=/path/to/python3 make run"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Zupa needs Python 3.11 or newer, and '$(PYTHON)' is $$($(PYTHON) --version): say PYTHON=/path/to/newer/python3 make run"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "'$(PYTHON)' cannot make virtual environments: on Debian and Ubuntu, apt-get install python3-venv"; exit 1; }
	@$(PYTHON) -m venv --clear .venv
	@touch $@

.venv/.installed: requirements.lock .venv/.created
	@echo "Installing what Zupa needs (only when its lock changed)"
	@$(BIN)/pip install --quiet --require-hashes --prefer-binary -r requirements.lock
	@touch $@

.venv/.installed-dev: requirements-dev.lock .venv/.created
	@echo "Installing what its developers need (only when its lock changed)"
	@$(BIN)/pip install --quiet --require-hashes --prefer-binary -r requirements-dev.lock
	@touch $@ .venv/.installed

browser: install-dev
	@$(BIN)/python -m tests.browser

LOCK = $(BIN)/uv pip compile --quiet --universal --fork-strategy fewest --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-annotate --no-header --extra redis pyproject.toml
lock: install-dev ## resolve pyproject.toml anew; ARGS=--upgrade takes newer versions
	$(LOCK) $(ARGS) -o requirements.lock
	$(LOCK) $(ARGS) --group dev --constraint requirements.lock -o requirements-dev.lock

clean: ## remove what was installed (not ZUPA_HOME: that is data)
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
