# The tasks of this repository. `make` lists them.

GO          ?= go
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
DEADCODE    := golang.org/x/tools/cmd/deadcode@v0.52.0

.DEFAULT_GOAL := help
.PHONY: help build testmesh demo test test-long e2e lint format tidy vet style deadcode portable bench race generate

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Static binaries. The lab's pods run coalmine-agent, which coalmine has in it: see
# lab/cluster/kind/image/embedded/README.md.
static      := CGO_ENABLED=0 $(GO) build -ldflags '-s -w'
embedded     = lab/cluster/kind/image/embedded/coalmine-agent-linux-$(shell $(GO) env GOARCH).gz

build: ## Build bin/coalmine, a static binary
	GOOS=linux $(static) -o bin/coalmine-agent ./cmd/coalmine-agent
	gzip -9 -n -c bin/coalmine-agent >$(embedded)
	$(static) -o bin/coalmine ./cmd/coalmine

testmesh: ## Build bin/testmesh, the mesh of the tests on a real cluster
	$(static) -o bin/testmesh ./cmd/testmesh

# The first run misses the incident on purpose, which is exit code 3.
demo: build ## Play the first scenario twice: against naive guardrails, and against good ones
	bin/coalmine run full-rollout --guardrails naive || [ $$? -eq 3 ]
	bin/coalmine run full-rollout --guardrails solution

# Collecting garbage less often makes the compiler and the simulated rollouts faster, as does linking
# without debug tables. make lint runs vet.
test: ## Run all tests
	GOGC=300 $(GO) test -vet=off -ldflags '-s -w' -timeout 30m ./...

test-long: ## Check the outcome of every scenario on 20 seeds and 20 check seeds, about 20 minutes
	GOGC=300 $(GO) test -vet=off -ldflags '-s -w' -count=1 -timeout 45m -v \
	  -run '^Test(Library|CheckSeeds)$$' ./lab/cluster/sim -seeds 20
	COALMINE_SEEDS=3 $(GO) test -vet=off -ldflags '-s -w' -count=1 -timeout 30m -v \
	  -run '^Test(Cheats|Solved)$$' ./lab/run/trial
	COALMINE_LONG=1 GOGC=300 $(GO) test -vet=off -ldflags '-s -w' -count=1 -v -run '^TestClass$$' ./lab/teaching/grade

# One package after the other, so that their progress can be seen.
e2e: ## Run the tests on a real cluster, about 40 minutes: see docs/testing.md
	$(GO) test -tags e2e -vet=off -count=1 -p 1 -v -timeout 44m ./lab/cluster/kind/kindcluster ./lab/cluster/kind/e2e

lint: format tidy vet style deadcode ## Check format, go.mod, vet, staticcheck, style and dead code

format:
	@unformatted=$$(gofmt -l $$(find . -name '*.go' -not -path './.*')); \
	if [ -n "$$unformatted" ]; then echo "not formatted, run gofmt -w:"; echo "$$unformatted"; exit 1; fi

tidy:
	$(GO) mod tidy -diff

vet:
	$(GO) vet -tags e2e ./...
	$(GO) run $(STATICCHECK) -tags e2e ./...

style:
	$(GO) test -vet=off -run 'Style|Shor|Whole|Imports|Documented|Glossary' ./cmd/internal/arch

# Both sides are sorted lists of "package function". The allowed ones stand in a file, each with its reason behind a #.
deadcode:
	@mkdir -p bin
	$(GO) run $(DEADCODE) -f '{{range .Funcs}}{{println $$.Path .Name}}{{end}}' ./cmd/... | \
	  sed '/^$$/d' | LC_ALL=C sort >bin/deadcode.found
	@sed 's/ *#.*//; /^$$/d' cmd/internal/arch/deadcode.txt | LC_ALL=C sort | diff -u - bin/deadcode.found || \
	{ echo "functions that no command reaches (+): delete them, or list them with a reason in" \
	  cmd/internal/arch/deadcode.txt; exit 1; }

portable: ## Check that the load generator builds on other systems
	GOOS=darwin $(GO) vet ./loadgen/...
	GOOS=windows $(GO) build ./loadgen/...

# Benchmarks state processor time (cpu-s), which a loaded machine changes less than the time on the wall.
bench: ## Run the benchmarks (two minutes)
	$(GO) test -run '^$$' -bench . -skip Thousand -benchmem ./...
	$(GO) test -run '^$$' -bench Thousand -benchtime 1x ./lab/cluster/sim

race: ## Run all tests under the race detector, scenarios on two seeds only
	$(GO) test -race -short ./...

generate: ## Write the generated files again (JSON schemas)
	$(GO) generate ./...
