# Bourse: what a person types. `make help` lists it.
#
# Everything is built once, in release, in .build: running and testing share it.

STATE ?= state
PORT ?=
CONFIGURATION := release
BIN := .build/$(CONFIGURATION)
# How much work the fuzz tests do under `make fuzz`; in `make test` they do a small, fixed part.
FUZZ_ITERATIONS ?= 2000000
EVENTS ?=
# How long `make soak` goes on.
SOAK_MINUTES ?= 60

.DEFAULT_GOAL := help
.PHONY: help run build test deb bench fuzz soak format clean prerequisites prerequisites-bench \
    prerequisites-test prerequisites-deb

help: ## Show what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  STATE=DIR   where the exchange keeps its state (now: $(STATE))"
	@echo "  PORT=N      where its API listens on 127.0.0.1 (at first: 8080)"

prerequisites:
	@packaging/local/prerequisites build

prerequisites-bench:
	@packaging/local/prerequisites build bench

prerequisites-test:
	@packaging/local/prerequisites build test deb

prerequisites-deb:
	@packaging/local/prerequisites build deb

build: prerequisites ## Build the daemons and boursectl
	@echo "Building (a first build takes some minutes)"
	@swift build -c $(CONFIGURATION)

run: build ## Start a standalone exchange here, in the foreground
	@packaging/local/exchange --bin $(BIN) --state "$(STATE)" $(if $(PORT),--port "$(PORT)")

test: prerequisites-test ## Build and run every test
	@Tests/run

deb: prerequisites-deb build ## Build the Debian packages into build/deb
	@packaging/deb $(BIN)

bench: prerequisites-bench build ## Measure the engine (EVENTS=N), the durable path, the agent
	@packaging/local/bench $(BIN) $(EVENTS)

fuzz: prerequisites-test ## Run the fuzz tests for long (FUZZ_ITERATIONS=N, BOURSE_SEED=N)
	@swift build -c $(CONFIGURATION) --build-tests
	@BOURSE_FUZZ_ITERATIONS=$(FUZZ_ITERATIONS) \
	    swift test -c $(CONFIGURATION) --skip-build --disable-xctest --filter '[Ff]uzz'

soak: prerequisites-test build ## Break disks, files and clocks beneath daemons for SOAK_MINUTES
	@Tests/System/Faults/faults.py --minutes $(SOAK_MINUTES)

format: ## Format the Swift sources in place
	@swift format --in-place --recursive --parallel Package.swift Sources Tests

clean: ## Remove what was built; the state stays
	@rm -rf .build .venv-test .venv-test-binance .venv-test-agent .hosts build
