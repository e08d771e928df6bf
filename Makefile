# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Every target makes what it needs first; `make help` lists them.

SHELL := /bin/bash
.DEFAULT_GOAL := help
PY := .venv/bin/python

# Ansible, its tools and Python find their things in the tree, never in the user's home.
export ANSIBLE_HOME := $(CURDIR)/.ansible/home
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/.ansible/collections
export PYTHONPATH := $(CURDIR):$(CURDIR)/.ansible/collections
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# Compiled once, even where the user keeps Python from that: Ansible is started a thousand times.
export PYTHONPYCACHEPREFIX := $(CURDIR)/.ansible/pycache
unexport PYTHONDONTWRITEBYTECODE
# Which Kubernetes the embedded cluster runs: `make test KUBERNETES_VERSION=1.34`.
ifdef KUBERNETES_VERSION
export KUBERNETES_VERSION
endif

GATES := ruff format mypy yamllint shellcheck reuse changelog ansible-lint docs-lint tidy sanity importer

.PHONY: help bootstrap demo demo-down test lint test-unit test-integration test-faults test-molecule \
	test-kind bench docs release-check pins clean distclean $(GATES)

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  one gate of lint:  $(GATES)"

bootstrap: ## make .venv and the tree in which Ansible finds the collections
	@tools/bootstrap

demo: bootstrap ## bring up the embedded cluster and watch the collection place and move pods
	@$(PY) tools/demo.py up

demo-down: bootstrap ## remove all that the demo made
	@$(PY) tools/demo.py down

test: bootstrap ## everything that needs no container engine, with a table of times
	@$(PY) tools/check.py test

lint: bootstrap ## all gates: style, types, documentation, sanity, importer
	@$(PY) tools/check.py lint

$(GATES): bootstrap
	@$(PY) tools/check.py $@

test-unit: bootstrap ## pure functions, the modules' shape, the house rules
	@$(PY) -m pytest tests/unit tests/rules tests/tidy scheduler/tests $(ARGS)

test-integration: bootstrap ## modules, roles and playbooks against a real control plane
	@$(PY) -m pytest -n 4 tests/integration $(ARGS)

test-faults: bootstrap ## kill, freeze and race every move before and after each of its writes
	@$(PY) -m pytest -n 6 tests/faults $(ARGS)

test-molecule: bootstrap ## roles and playbooks as scenarios: converge, idempotence, verify
	@$(if $(ARGS),molecule test --report $(ARGS),$(PY) tools/check.py molecule)

test-kind: bootstrap ## scenarios on a real kind cluster (root, containers)
	@$(PY) tools/check.py kind

bench: bootstrap ## measure module runs side by side with their kubernetes.core peers
	@$(PY) -m bench $(ARGS)

docs: bootstrap ## write the reference of modules and roles to .artifacts/docs
	@$(PY) tools/check.py docs

release-check: test ## all of test, and what needs a cluster on each older Kubernetes
	@for version in 1.33 1.34 1.35; do \
		$(MAKE) test-integration test-faults test-molecule KUBERNETES_VERSION=$$version || exit 1; done

pins: bootstrap ## resolve the locked requirements of the tools and of the daemon's image anew
	@cd tools/requirements && for set in tools importer; do for python in 3.12 3.11; do \
		uv pip compile --quiet --no-header --upgrade --python-version $$python $$set.in \
			--output-file $$set-py$${python/./}.txt || exit 1; done; done
	@cd scheduler && lock="uv pip compile --quiet --no-header --no-annotate --upgrade --universal --python-version 3.11 --generate-hashes"; \
		$$lock pyproject.toml --output-file requirements.txt && \
		grep -o 'hatchling==[0-9.]*' pyproject.toml | $$lock - --output-file requirements-build.txt

clean: ## remove logs and caches of the tools
	@rm -rf .artifacts .hypothesis .mypy_cache .pytest_cache .ruff_cache tests/output .ansible/sanity

distclean: clean ## also remove the environments
	@rm -rf .ansible .venv .venv-importer
