# Every target says what it does: `make help`.
# KIND=1 uses a kind cluster, CLUSTER=current the current kubeconfig, in place of the cluster that `make cluster` makes.
.DEFAULT_GOAL := help
.PHONY: help dev check crds chart image unit cluster test test-api demo bench clean model lock

export KIND CLUSTER
bin := .venv/bin
in_cluster = $(bin)/python hack/cluster exec -- $(bin)
ARGS =
IMAGE = tidegate:$(shell sed -n 's/^__version__ = "\(.*\)"$$/\1/p' operator/tidegate/__init__.py)

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

dev: .venv/.stamp ## make .venv with everything that building and testing need (instant when it is there)

.venv/.stamp: pyproject.toml constraints.txt hack/venv.sh
	@hack/venv.sh

check: dev ## lint, format, types, import contracts, dependencies, generated files: under a minute
	@hack/check.sh

crds: dev ## write crds/*.yaml anew from the models in operator/tidegate/api, and the chart from them
	$(bin)/python hack/generate_crds.py
	@$(bin)/python hack/generate_chart.py

chart: dev ## write charts/tidegate anew from the rights and policies in manifests/base and from crds/
	@$(bin)/python hack/generate_chart.py

image: ## build the operator's container image with docker or podman; IMAGE=registry.example/tidegate:0.1.0 names it
	$(firstword $(notdir $(shell command -v docker podman)) docker) build -f hack/image/Containerfile -t $(IMAGE) .

unit: dev ## run the tests that need no cluster; ARGS="-k word" picks
	$(bin)/pytest -m "not integration and not e2e and not faults and not recorded" $(ARGS)

cluster: dev ## start a real Kubernetes on this machine (first time: about ten minutes, then seconds)
	$(bin)/python hack/cluster up

test: dev cluster ## run all tests, on the real cluster; ARGS="-k word" picks
	TIDEGATE_REQUIRE_CLUSTER=1 $(in_cluster)/pytest $(ARGS)

test-api: dev ## run the tests that need no pods, beside a control plane of plain processes: no root; ARGS="-k word" picks
	$(bin)/python hack/cluster up --control-plane-only
	TIDEGATE_REQUIRE_CLUSTER=1 $(in_cluster)/pytest -m "not pods" $(ARGS)

demo: dev cluster ## watch a good release climb to 100 % and a bad one revert, on real pods
	$(in_cluster)/python -m hack.demo

bench: dev ## measure speed and cost on a control plane of its own; ARGS="latency --count 100" picks, see hack/bench
	$(bin)/python -m hack.bench $(or $(ARGS),--help)

clean: ## stop the cluster and remove what the tools left; nothing stays running or mounted
	@if [ -x $(bin)/python ]; then $(bin)/python hack/cluster down; else python3 hack/cluster down; fi
	@rm -rf --one-file-system .cluster .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dist

model: dev ## explore the small worlds of the engine exhaustively, on all cores: about ten minutes; ARGS="--list" names them
	$(bin)/python -m hack.model $(ARGS)

lock: dev ## write constraints.txt anew from pyproject.toml; ARGS="--upgrade" takes newer versions
	$(bin)/pip-compile --quiet --extra dev --generate-hashes --allow-unsafe --strip-extras --annotation-style line \
		--no-header --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-emit-options \
		--output-file constraints.txt $(ARGS) pyproject.toml
	$(bin)/python hack/image/lock.py
