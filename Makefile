# Everything runs from a `.venv` in the clone, made on first use. Its stamp bears a hash of pyproject.toml and of the
# clone's path: another version or a moved clone sets up again.
PYTHON ?= python3
KEEP ?=
# Processes that test at a time; each may start a database of its own.
TEST_JOBS ?= 2
# Labs at a time: each is busy with one to three processors and up to four nodes of 768 MiB.
LAB_JOBS ?= 2
VOLUMES ?= 200
KEY := $(shell { cat pyproject.toml; pwd; } | sha256sum | cut -c1-16)
READY := .venv/ready-$(KEY)
READY_DEV := .venv/ready-dev-$(KEY)

.PHONY: help demo demo-stop test test-docker docker-plugin lab lab-bench lab-shell lint format bench clean

help:
	@echo 'make demo        a cluster of three nodes on this machine does the main job (root); KEEP=1 leaves it running'
	@echo 'make demo-stop   end the cluster that make demo KEEP=1 left, and remove all of it'
	@echo 'make test        the tests; what needs root or a missing program is skipped and named'
	@echo 'make test-docker tests with real Docker engines (root); installs docker.io'
	@echo 'make docker-plugin   a managed plugin for Docker in dist/docker-plugin (root)'
	@echo 'make lab         tests with real kernels in virtual nodes (root); LAB_ARGS= goes to pytest'
	@echo 'make lab-bench   programs and time that each kind of pool takes in a virtual node (long); VOLUMES=50 KINDS="LVM ZFS"'
	@echo 'make lab-shell   three virtual nodes with LVM, ZFS and file pools, and a prompt to play with them'
	@echo 'make lint        style and types'
	@echo 'make format      bring the style in order'
	@echo 'make bench       measure, and print what is wanted and what was found; real files need root'
	@echo 'make clean       remove .venv and what tools have cached'

$(READY):
	@$(PYTHON) .ci/environment.py $@

$(READY_DEV): $(READY)
	@$(PYTHON) .ci/environment.py --dev $@

demo: $(READY)
	@.venv/bin/python -m demo $(if $(KEEP),--keep)

demo-stop: $(READY)
	@.venv/bin/python -m demo --stop

test: $(READY_DEV)
	.venv/bin/python -m pytest -n $(TEST_JOBS) $(PYTEST_ARGS)

test-docker: $(READY_DEV)
	@.venv/bin/python -m tests.docker.requirements
	@$(MAKE) --no-print-directory docker-plugin
	.venv/bin/python -m pytest -m docker tests/docker $(DOCKER_ARGS)
	@.venv/bin/python -m tests.docker.bench

docker-plugin: $(READY_DEV)
	@.venv/bin/python -m trees.requirements
	PYTHONPATH=. .venv/bin/python packaging/docker/managed_plugin.py dist/docker-plugin
	@echo 'docker plugin create orlop/orlop dist/docker-plugin && docker plugin enable orlop/orlop'

lab: $(READY_DEV)
	@.venv/bin/python -m tests.lab.requirements
	.venv/bin/python -m pytest -m lab -n $(LAB_JOBS) tests/lab $(LAB_ARGS)

lab-bench: $(READY_DEV)
	@.venv/bin/python -m tests.lab.requirements
	@.venv/bin/python -m tests.lab.bench $(VOLUMES) $(KINDS)

lab-shell: $(READY_DEV)
	@.venv/bin/python -m tests.lab.requirements
	@.venv/bin/python -m tests.lab.shell

lint: $(READY_DEV)
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy

format: $(READY_DEV)
	.venv/bin/ruff check --fix
	.venv/bin/ruff format

bench: $(READY)
	@.venv/bin/python -m benchmarks $(BENCH_ARGS)

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis
