# Bourse: development targets. `make help` lists them.
#
# Everything is built in release in .build, shared by running and testing.

STATE ?= state
PORT ?=
CONFIGURATION := release
BIN := .build/$(CONFIGURATION)
# Iterations of the fuzz tests under `make fuzz`; `make test` runs a small, fixed number.
FUZZ_ITERATIONS ?= 2000000
EVENTS ?=
# Duration of the first part of `make soak`; the second runs until something is wrong.
SOAK_MINUTES ?= 60

.DEFAULT_GOAL := help
.PHONY: help run build test deb bench fuzz soak format clean prerequisites prerequisites-bench \
    prerequisites-test prerequisites-deb

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  STATE=DIR   the state directory of the exchange (now: $(STATE))"
	@echo "  PORT=N      the API's port on 127.0.0.1 (default: 8080)"

prerequisites:
	@packaging/local/prerequisites build

prerequisites-bench:
	@packaging/local/prerequisites build bench

prerequisites-test:
	@packaging/local/prerequisites build test deb

prerequisites-deb:
	@packaging/local/prerequisites build deb

build: prerequisites ## Build the daemons and boursectl
	@echo "Building (a first build takes several minutes)"
	@swift build -c $(CONFIGURATION)

run: build ## Start a standalone exchange here, in the foreground; WALLET=demo adds a chain and a wallet
	@packaging/local/exchange --bin $(BIN) --state "$(STATE)" $(if $(PORT),--port "$(PORT)") \
		$(if $(WALLET),--wallet "$(WALLET)")

test: prerequisites-test ## Build and run every test
	@Tests/run

deb: prerequisites-deb build ## Build the Debian packages into build/deb
	@packaging/deb $(BIN)

bench: prerequisites-bench build ## Measure the engine (EVENTS=N), the durable path, the agent, the wallet
	@packaging/local/bench $(BIN) $(EVENTS)

fuzz: prerequisites-test ## Run the fuzz tests longer (FUZZ_ITERATIONS=N, BOURSE_SEED=N)
	@swift build -c $(CONFIGURATION) --build-tests
	@BOURSE_FUZZ_ITERATIONS=$(FUZZ_ITERATIONS) \
	    swift test -c $(CONFIGURATION) --skip-build --disable-xctest --filter '[Ff]uzz'

soak: prerequisites-test build ## Break disks and files for SOAK_MINUTES, then hosts of a cluster
	@Tests/System/Faults/faults.py --minutes $(SOAK_MINUTES)
	@Tests/run --environment Hosts
	@.venv-test-hosts/bin/python Tests/Hosts/soak.py

format: ## Format the Swift sources in place
	@swift format --in-place --recursive --parallel Package.swift Sources Tests

clean: ## Remove build products, but not the state
	@rm -rf .build .venv-test .venv-test-binance .venv-test-hosts .venv-test-agent \
	    .venv-test-evm .hosts build
