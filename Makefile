# `make` alone lists the targets. Everything is installed from locks; nothing is installed outside this folder and the
# user's cache.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help run test fuzz test-faults bench simulate infra-test infra-apply-test check fix lock screenshot images push-images clean setup

# uv from PATH, or else from the package index into .tools.
UV := $(or $(shell command -v uv 2>/dev/null),$(CURDIR)/.tools/bin/uv)
BIN := .venv/bin
export UV
# Python takes nothing of the user's shell, and what installs only where packages come from: PYTHONPATH, PIP_USER or UV_NO_BUILD
# would change what is made here.
unexport $(filter-out $(shell cat infra/local/installing.list),$(filter PYTHON% PIP_% UV_%,$(.VARIABLES)))
# Which commit an image is of, and what it runs on: this machine's kind, unless another is named and Docker can build for it.
TAG = $(shell git rev-parse HEAD)
PLATFORM = linux/$(if $(filter aarch64 arm64,$(shell uname -m)),arm64,amd64)
# With ATTESTED=1 a list of what is in an image and how it was built go with it; Docker needs containerd's image store for that.
ATTESTATIONS = $(if $(ATTESTED),--provenance=mode=max --sbom=true)

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: setup ## run the whole pipeline on this machine (DEMO=1 adds simulated sensors; FRESH=1 begins anew; PORT=)
	@$(BIN)/python -m infra.local.run

test: setup ## run every test; starts and stops all it needs
	@$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

fuzz: setup ## ask a running API thousands of things out of its own description (EXAMPLES=)
	@mkdir -p .local
	@FUZZED_EXAMPLES=$(or $(EXAMPLES),500) FUZZED_LOG=$(CURDIR)/.local/fuzz.log $(BIN)/pytest --timeout 7200 \
	  tests/producer_api/test_openapi.py -k keeps_what_its_description_says; status=$$?; tail -n 12 .local/fuzz.log; exit $$status

test-faults: setup ## try the promises against every fault, long; writes docs/reliability.md (ONLY=test_name)
	@rm -f .local/faults.jsonl && mkdir -p .local
	@FAULTS=full FAULTS_RESULTS=$(CURDIR)/.local/faults.jsonl $(BIN)/pytest tests/faults $(if $(ONLY),-k $(ONLY)); \
	  status=$$?; [ ! -s .local/faults.jsonl ] || $(BIN)/python -m tests.faults.report $(if $(ONLY),--some) .local/faults.jsonl; exit $$status

bench: setup .local/bench/venv/.ready ## measure against baselines; writes docs/performance.md and docs/cost.md (ONLY="P1 P6")
	@$(BIN)/python -m benchmarks $(ONLY)
	@.local/bench/venv/bin/python -m benchmarks.report

infra-test: setup ## check Terraform: format, validity, its own tests, plans, policies, checkov (TF_PLUGIN_DIR=)
	@$(BIN)/pytest tests/infra/test_terraform.py tests/infra/test_policies.py

infra-apply-test: setup ## apply and destroy a whole environment on moto, and stream and tables on LocalStack (TF_PLUGIN_DIR=)
	@INFRA_APPLY=1 $(BIN)/pytest tests/infra/test_apply.py

simulate: setup ## run simulated schedules of crashes, zombies and reshards (SEEDS=0:100000, WHAT=archive or generations)
	@$(BIN)/python -m tests.simulation --what $(or $(WHAT),projection) --seeds $(or $(SEEDS),0:100000) --jobs 2

check: setup ## lint, formatting and types; edits nothing
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/mypy --no-error-summary
	@echo "lint, formatting and types are fine"

fix: setup ## mend what the linter and the formatter can
	@$(BIN)/ruff check --fix --quiet .
	@$(BIN)/ruff format --quiet .

lock: setup ## make the locks anew
	@sh requirements/lock.sh

screenshot: setup ## run the demo and write docs/dashboard.png
	@$(BIN)/python -m tests.browser.screenshot

images: ## build both container images with Docker (TAG=, PLATFORM=, ATTESTED=1)
	@for target in api consumer; do docker build --platform $(PLATFORM) $(ATTESTATIONS) --file infra/images/Dockerfile --target $$target \
	  --build-arg REVISION=$(TAG) --tag telemetry-pipeline:$(TAG)-$$target . || exit; done

push-images: ## bring them to ECR (TAG=, AWS_ACCOUNT_ID=, AWS_REGION=)
	@AWS_ACCOUNT_ID=$(AWS_ACCOUNT_ID) AWS_REGION=$(AWS_REGION) sh infra/images/push.sh $(TAG)

clean: ## remove what the other targets made in this folder, but for what make run archived
	rm -rf .venv .tools .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
	@[ ! -d .local ] || find .local -mindepth 1 -maxdepth 1 ! -name data -exec rm -rf {} +
	@[ ! -d .local/data ] || echo "what was archived stays in .local/data: remove it yourself if nobody needs it"
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

setup: .venv/.ready

define JARS_DIFFER
The jars that came with amazon_kclpy are not those of infra/images/kcl-jars.sha256 (<); what came is shown with >.
Have them fetched again: `$(UV) cache clean amazon-kclpy`, then `make clean`, then the same command once more.
If it stays so, the Maven repository (KCL_MVN_REPO_SEARCH_URL) serves other files: do not run them.
endef
export JARS_DIFFER

# As in the images, hashes hold for what builds a package too, and for KCL's jars, which amazon_kclpy downloads while it is built
# and does not check. uv may have built it earlier, otherwise: the jars that lie there are what counts.
.venv/.ready: requirements/dev.txt requirements/build.txt infra/images/kcl-jars.sha256 pyproject.toml | $(UV)
	@echo "installing the Python packages of requirements/dev.txt"
	@$(UV) venv --quiet --allow-existing --python 3.13 .venv
	@$(UV) pip sync --quiet --require-hashes --build-constraints requirements/build.txt --python $(BIN)/python requirements/dev.txt
	@cd .venv/lib/python3.13/site-packages/amazon_kclpy/jars \
	  && LC_ALL=C sha256sum -- *.jar | diff $(CURDIR)/infra/images/kcl-jars.sha256 - >&2 || { echo "$$JARS_DIFFER" >&2; exit 1; }
	@$(UV) pip install --quiet --no-deps --no-build-isolation --python $(BIN)/python --editable .
	@touch $@

.local/bench/venv/.ready: requirements/bench.txt | $(UV)
	@echo "installing the Python packages of requirements/bench.txt"
	@$(UV) venv --quiet --allow-existing --python 3.13 .local/bench/venv
	@$(UV) pip sync --quiet --require-hashes --python .local/bench/venv/bin/python requirements/bench.txt
	@touch $@

.tools/bin/uv $(CURDIR)/.tools/bin/uv:
	@echo "installing uv into .tools"
	@PY=$$(command -v python3.13 || command -v python3) && "$$PY" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' \
	  || { echo "Python 3.13 or uv is needed and neither was found: install one of them first." >&2; exit 1; }
	@PY=$$(command -v python3.13 || command -v python3) && "$$PY" -m venv .tools
	@.tools/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/tools.txt
