# The entry point for people, CI and cron. Each target is one command of .venv/bin/nbtools.
# Variables reach the shell through the environment, so a value is never read as shell code.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
NBTOOLS := $(BIN)/nbtools
READY := .venv/.ready
PEERS := .venv-bench

export STUDY DATE FROM TO REDO RESEND SCALE SEED START DAYS MAPPING DATA QUERY LIMIT PORT KEEP DRY DIR AT

# $(call option,name,VARIABLE): --name "$VARIABLE" when the variable is set.
option = $(if $($(2)),--$(1) "$$$(2)")
flag = $(if $($(2)),--$(1))
study_options = $(call option,study,STUDY) $(call option,from,FROM) $(call option,to,TO) \
	$(call flag,resend,RESEND)

.PHONY: help book test check bench env lock demo load etl backfill report-feed report-app dashboards alerts backtest aa-test \
	ab-test linearized-ctr status deliver \
	publish preview serve explore lab tools clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' Makefile

book: $(READY) ## Everything: environment, demo history, ETL, notebooks, the book
	@$(NBTOOLS) book

test: $(READY) tools ## Run the tests
	@$(BIN)/pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

check: $(READY) ## Everything that must be clean before a commit
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/numpydoc lint src/nbtools/*.py
	@$(BIN)/nbstripout --verify --keep-id $(STRIP) notebooks/*.ipynb
	@$(BIN)/pytest -q --no-header --durations=0 --durations-min=60 tests/test_docs.py

STRIP := --extra-keys "metadata.papermill cell.metadata.papermill cell.metadata.execution"

bench: $(READY) $(PEERS)/.ready ## Measure the ETL, the experiments and the alerts, into book/reference
	@$(BIN)/python benchmarks/etl.py
	@$(PEERS)/bin/python benchmarks/experiments.py
	@$(BIN)/python benchmarks/archive.py
	@$(PEERS)/bin/python benchmarks/alerts.py

$(PEERS)/.ready: requirements.lock benchmarks/requirements.lock
	@echo "Creating $(PEERS), the environment with the libraries to compare with ..."
	@"$(PYTHON)" -m venv $(PEERS)
	@$(PEERS)/bin/python -m pip install -qq --disable-pip-version-check --require-hashes --no-deps \
		-r requirements.lock -r benchmarks/requirements.lock
	@$(PEERS)/bin/python -m pip install -qq --disable-pip-version-check --no-deps \
		--no-build-isolation -e .
	@touch $@

env: $(READY) ## Create the environment .venv from the lock

$(READY): requirements.lock pyproject.toml
	@if [ -z "$(PYTHON)" ] || ! "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then \
		echo "Python 3.11 or newer is needed and was not found; install it or set PYTHON=." >&2; exit 2; fi
	@"$(PYTHON)" -c 'import ensurepip' 2>/dev/null || { \
		echo "Python's venv module is missing; on Debian: apt-get install python3-venv." >&2; exit 2; }
	@echo "Creating the environment .venv ($$(grep -c == requirements.lock) packages, one to three minutes) ..."
	@"$(PYTHON)" -m venv --clear .venv
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes --no-deps \
		-r requirements.lock
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY)

lock: ## Renew requirements.lock and environment.yml from pyproject.toml
	$(BIN)/pip-compile --quiet --allow-unsafe --generate-hashes --strip-extras --no-header \
		--no-emit-index-url --no-emit-find-links --no-emit-trusted-host --extra dev \
		-o requirements.lock pyproject.toml
	$(BIN)/pip-compile --quiet --allow-unsafe --generate-hashes --strip-extras --no-header \
		--no-emit-index-url --no-emit-find-links --no-emit-trusted-host -c requirements.lock \
		-o benchmarks/requirements.lock benchmarks/requirements.in
	@{ sed '/^ *- pip:/q' environment.yml; \
		sed -nE 's/^([A-Za-z0-9][^ ;]*==[^ ;]+).*/      - \1/p' requirements.lock; \
		echo '      - -e .'; } > environment.new && mv environment.new environment.yml

demo: $(READY) ## Build the demo history anew (SCALE= SEED= START= DAYS=)
	@$(NBTOOLS) demo $(call option,scale,SCALE) $(call option,seed,SEED) $(call option,start,START) \
		$(call option,days,DAYS)

load: $(READY) ## Load a real log (MAPPING=parameters/mappings/x.yml DATA=folder)
	@$(NBTOOLS) load $(call option,mapping,MAPPING) $(call option,data,DATA)

etl: $(READY) ## Load one day into daily_metrics_v1 (DATE=YYYY-MM-DD, yesterday by default)
	@$(NBTOOLS) etl $(call option,date,DATE) $(call flag,resend,RESEND)

backfill: $(READY) ## Load a range of days (FROM= TO=, the whole history by default; REDO=1 again)
	@$(NBTOOLS) backfill $(call option,from,FROM) $(call option,to,TO) $(call flag,redo,REDO)

report-feed: $(READY) ## Report one day of the news feed to the chat (DATE=, RESEND=1 again)
	@$(NBTOOLS) report-feed $(call option,date,DATE) $(call flag,resend,RESEND)

report-app: $(READY) ## Report one day of the whole app to the chat (DATE=, RESEND=1 again)
	@$(NBTOOLS) report-app $(call option,date,DATE) $(call flag,resend,RESEND)

dashboards: $(READY) ## Make the dashboards anew, as of a day (DATE=, yesterday by default)
	@$(NBTOOLS) dashboards $(call option,date,DATE)

alerts: $(READY) ## Check the key metrics once (AT="YYYY-MM-DD HH:MM", now by default)
	@$(NBTOOLS) alerts $(call option,at,AT) $(call flag,resend,RESEND)

backtest: $(READY) ## Replay the alerts over a period (FROM= TO=)
	@$(NBTOOLS) backtest $(call option,from,FROM) $(call option,to,TO)

aa-test: $(READY) ## Check the splitting system (STUDY=groups_2_3 FROM= TO=)
	@$(NBTOOLS) aa-test $(study_options)

ab-test: $(READY) ## Analyse an experiment up to its verdict (STUDY=new_recommender FROM= TO=)
	@$(NBTOOLS) ab-test $(study_options)

linearized-ctr: $(READY) ## Test users' linearized likes (STUDY=groups_0_3 FROM= TO=)
	@$(NBTOOLS) linearized-ctr $(study_options)

status: $(READY) ## Show the last runs, what is undelivered, what is stale
	@$(NBTOOLS) status

deliver: $(READY) ## Send the messages that wait in the outbox
	@$(NBTOOLS) deliver

serve: $(READY) ## Put the embedded warehouse behind a loopback HTTP port (PORT=8123)
	@$(NBTOOLS) serve $(call option,port,PORT)

explore: $(READY) ## Show the rows of an ad-hoc query (QUERY="SELECT ..." LIMIT=50)
	@$(NBTOOLS) explore $(call option,query,QUERY) $(call option,limit,LIMIT)

publish: $(READY) ## Publish the built book (TO=branch, folder:PATH, rsync:HOST:PATH; DRY=1, KEEP=5)
	@$(NBTOOLS) publish $(call option,to,TO) $(call option,keep,KEEP) $(call flag,dry,DRY)

preview: $(READY) ## Show the book on a loopback port, built again on change (PORT=8000)
	@$(NBTOOLS) preview $(call option,port,PORT)

lab: $(READY) ## Open the notebooks in JupyterLab, or another folder (DIR=state/runs)
	@$(BIN)/jupyter lab "$${DIR:-notebooks}"

# What the tests need beside Python: a browser to read pages with, and rsync to publish them.
tools:
	@{ command -v chromium && command -v rsync; } >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
		&& echo "Installing chromium and rsync for the tests ..." \
		&& apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
			--no-install-recommends chromium fonts-dejavu-core rsync >/dev/null; } \
		|| { echo "The tests need chromium and rsync; on Debian: apt-get install chromium rsync." >&2; exit 2; }

clean: ## Remove the environment; the state folder stays
	@rm -rf .venv $(PEERS)
