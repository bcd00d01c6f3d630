# Holdfast. Each target is a few readable commands; `make` alone lists them.

LOCAL := target/debug/holdfast-local
REGIONS ?= us-west-2

.DEFAULT_GOAL := help
.PHONY: help demo up down test check bench deploy setup setup-check build port fmt

help:  ## List the targets
	@sed -n 's/^\([a-z-]*\):.*  ## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name text; do \
	  printf '  make %-8s %s\n' "$$name" "$$text"; done

demo: port build  ## Back up a real database on this machine and see it proven (DAMAGE=heap, index, rows, schema or fk: damaged, and refused)
	@$(LOCAL) demo $(if $(DAMAGE),--damage $(DAMAGE))

up: port build  ## Start the local cloud with Holdfast deployed, leave it running, write .local/env
	@$(LOCAL) up

down:  ## Stop the local cloud and leave nothing behind
	@if [ -x $(LOCAL) ]; then $(LOCAL) down; else echo "Nothing was up."; fi

test: setup  ## Every test, the whole-stack ones included, against a stack of their own with IAM enforced
	@tools/postgres-majors
	@tools/setup chromium
	cargo build --workspace --all-targets
	@if tools/postgres-majors --complete; then export HOLDFAST_REQUIRE_PG_MAJORS=1; fi; \
	  if tools/setup chromium --there; then export HOLDFAST_REQUIRE_CHROMIUM=1; fi; $(LOCAL) run -- tools/test --tests

check: setup-check  ## The quick loop: format, clippy, unit and contract tests, validators, licences
	tools/check

bench: setup  ## Cold start, latency, memory and size against Node and Python; the speed of the proof
	tools/bench
	tools/bench-proof

deploy:  ## Deploy to your AWS account: the Regions that copies go to (REGIONS), then Holdfast (needs sam, cargo-lambda, credentials; asks first)
	sam build --template-file infra/region.yaml --build-dir .aws-sam/region
	for region in $(REGIONS); do sam deploy --template-file .aws-sam/region/template.yaml --region $$region \
	  --stack-name holdfast-region --resolve-s3 --confirm-changeset --no-fail-on-empty-changeset \
	  --capabilities CAPABILITY_IAM CAPABILITY_AUTO_EXPAND || exit; done
	sam build
	sam deploy --guided --stack-name holdfast --capabilities CAPABILITY_IAM CAPABILITY_AUTO_EXPAND

fmt:  ## Format everything
	cargo fmt --all

build: setup
	@[ -x $(LOCAL) ] || echo "building: some minutes the first time"
	@cargo build --quiet --workspace --bins

port:
	@python3 tools/port

setup:
	@tools/setup

setup-check:
	@tools/setup check
