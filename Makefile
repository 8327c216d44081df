# The one entry point. Comments after ## are the help.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup demo crds zipapp krew install-yaml check unit api sim lab test fmt lock image-check arm64-check bench-failover bench-agent bench-many bench-bgp bench-router bench-operator bench-report kind-up kind-test kind-down clean

BIN := .venv/bin
# What a run may cost on two cores, in seconds, with .venv and Kubernetes made: check, unit, API, simulator, lab.
CHECK_S := 120
UNIT_S := 120
API_S := 480
SIM_S := 300
LAB_S := 720
# The tests in a real cluster, without the making of it.
KIND_S := 720
# What tests call by name, and Debian's package of it. vipa itself needs none of them.
PROGRAMS := nft=nftables ip=iproute2
# More words for pytest, e.g. make lab ARGS='-k freeze'; for the demo, e.g. make demo ARGS=--json
ARGS :=

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do \
		printf '  make %-16s %s\n' "$$name" "$$text"; done

setup: ## make .venv with the pinned dependencies and the commands vipa, kubectl-vipa, vipa-agent, vipa-operator, vipa-router
	@tools/setup

demo: setup ## watch it: adapters and machines fail, a client measures; as root or as anybody
	@$(BIN)/vipa demo $(ARGS)

check: setup ## ruff, formatting, mypy --strict, import rules, tidiness
	@tools/timed check $(CHECK_S) tools/check

unit: setup ## tests of the pure parts and of single modules
	@tools/timed unit $(UNIT_S) $(BIN)/pytest tests/unit $(ARGS)

api: setup ## tests against a real kube-apiserver, which is built the first time (needs Go; 5 minutes)
	@tools/programs $(PROGRAMS)
	@tools/kube/build api tools
	@tools/timed api $(API_S) $(BIN)/pytest tests/api $(ARGS)

sim: setup ## seeded simulations of whole systems, with faults
	@tools/timed sim $(SIM_S) $(BIN)/pytest tests/sim $(ARGS)

lab: setup ## real kernel networking in namespaces; needs root or user namespaces
	@tools/programs $(PROGRAMS)
	@tools/timed lab $(LAB_S) $(BIN)/pytest tests/lab $(ARGS)

kind-up: setup ## a real cluster in containers with vipa on it, made by kind; as root; docs/development.md
	@$(BIN)/python -m vipa_lab.kind up

kind-test: setup ## tests in that cluster; makes one and ends it when none is up
	@$(BIN)/python -m vipa_lab.kind run tools/timed kind $(KIND_S) $(BIN)/pytest tests/e2e $(ARGS)

kind-down: setup ## end that cluster; nothing stays on the machine but the cache
	@$(BIN)/python -m vipa_lab.kind down

test: ## check, unit, api, sim and lab, each with its time against its budget
	@rm -f build/times
	@$(MAKE) --no-print-directory check unit api sim lab; code=$$?; \
		printf '\n== times\n'; cat build/times; exit $$code

fmt: setup ## format the source and mend what ruff can mend
	@$(BIN)/ruff check --quiet --fix . ; $(BIN)/ruff format --quiet .

crds: setup ## write crds/*.yaml anew from the types in core
	@$(BIN)/python tools/crds

install-yaml: crds ## write install.yaml anew from charts/vipa; needs Helm, see make api
	@$(BIN)/python tools/install_yaml

zipapp: setup ## build/kubectl-vipa: the cluster commands in one file, for any Python from 3.11 on
	@$(BIN)/python tools/zipapp

krew: setup ## build/krew/: that file packed for kubectl's plugin manager; URL=https://… where it is going to be
	@$(BIN)/python tools/krew $(URL)

lock: setup ## write requirements.lock anew from pyproject.toml, and requirements-image.lock from that
	@tools/lock
	@$(MAKE) --no-print-directory setup
	@$(BIN)/python tools/image_lock

image-check: setup ## whether every pin of the image has a wheel for amd64 and arm64; asks the package index
	@$(BIN)/python tools/image_check

arm64-check: setup ## the image's content on an emulated arm64 machine: start, kernel and wire tests; needs qemu; slow
	@$(BIN)/python tools/arm64 $(ARGS)

bench-failover: setup ## outages beside keepalived, to docs/benchmarks.md; resumable; ARGS=--quick for a look
	@$(BIN)/python bench/failover.py $(ARGS)
	@$(BIN)/python bench/report.py

bench-report: setup ## docs/benchmarks.md again from the runs at hand
	@$(BIN)/python bench/report.py

bench-agent: setup ## what one agent costs, and whether its loop holds the beat on busy cores; ARGS=--vips 200
	@$(BIN)/python bench/agent.py $(ARGS)

bench-many: setup ## a node with 2,000 virtual IPs dies: when is the last one served again; ARGS='--runs 1 --vips 200 --apart'
	@$(BIN)/python bench/many.py $(ARGS)

bench-bgp: setup ## what remote clients behind a router lose, FRR on both sides, with BFD and without; ARGS='--n 2 --case node'
	@$(BIN)/python bench/bgp.py $(ARGS)

bench-router: setup ## remote clients behind vipa-router: adapters and machines fail; ARGS='--runs 5 --case carrier'
	@$(BIN)/python bench/router.py $(ARGS)

bench-operator: setup ## a large cluster on a real API server: steady, one change, idle, memory; ARGS='--nodes 100 --vips 1000'
	@$(BIN)/python bench/operator_scale.py $(ARGS)

clean: ## remove .venv, build/ and caches
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find core operator nodeagent router lab cli tests bench -name __pycache__ -type d -prune -exec rm -rf {} +
