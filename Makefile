.DEFAULT_GOAL := help
SHELL := bash
NODE_BIN := node_modules/.bin

help: ## list these targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | column -t -s $$'\t'

node_modules/.package-lock.json: package.json package-lock.json
	npm ci --no-audit --no-fund --loglevel=error
	@touch $@

deps: node_modules/.package-lock.json ## install what package-lock.json names

build: dist/main.js ## compile src to dist, when it has changed

# A compiler that fails leaves files all the same, and they would be taken for the new ones.
dist/main.js: $(shell find src -name '*.ts') tsconfig.json tsconfig.build.json node_modules/.package-lock.json
	@$(NODE_BIN)/tsc -p tsconfig.build.json || { rm -f $@; exit 1; }

demo: build ## tell the whole story on this machine in under a minute; KEEP=1 leaves it running
	@$(NODE_BIN)/tsx scripts/demo.ts

test: verify ## everything: types, lint, drift, unit, policies, contract, controlplane, e2e
	@$(NODE_BIN)/tsx scripts/controlplane.ts
	@npm test --silent -- --maxWorkers=3

unit: build ## only the tests without servers
	@npm test --silent -- test/unit test/crds test/architecture.test.ts

versions: build ## the contract suite over every supported PostgreSQL, one after the other; about 2 minutes each
	@$(NODE_BIN)/tsx scripts/versions.ts

fuzz: build ## the tests of properties with new seeds and twenty times the cases
	@PROPERTY_SEED=random PROPERTY_RUNS=20 npm test --silent -- --testTimeout=1800000 $$(grep -rl 'support/properties' test/unit test/crds --include='*.test.ts')

verify: build ## fail when generated files, policies, types or lint have drifted, or policies fail their tests
	@$(MAKE) --no-print-directory -j2 --output-sync=target check-types check-lint check-generated check-bundle check-policies

check-types:
	@$(NODE_BIN)/tsc -p .

check-lint:
	@$(NODE_BIN)/oxlint --deny-warnings src test scripts bench

check-generated:
	@$(NODE_BIN)/tsx scripts/generate.ts --check

check-bundle:
	@$(NODE_BIN)/tsx scripts/policies.ts --check

check-policies:
	@$(NODE_BIN)/tsx scripts/policies.ts --test

generate: deps ## types, schemas and reference pages from crds/
	@npm run --silent generate

policies: deps ## compile policies/ to Wasm (needs Go once, for opa)
	@$(NODE_BIN)/tsx scripts/policies.ts

lint: deps ## types and lint
	@npm run --silent check

bench: build ## speed and memory, as ratios in one run
	@for file in bench/*.bench.ts; do echo "== $$file"; $(NODE_BIN)/tsx $$file || exit 1; done

.PHONY: help deps build demo test unit versions fuzz verify check-types check-lint check-generated check-bundle check-policies generate policies lint bench
