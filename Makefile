# make help lists the targets. Flags: VERSION, CHARTS (a directory of upstream's charts), RUN (go test -run, for e2e).

MODULE  := $(shell sed -n 's/^module //p' go.mod)
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
RELEASES := https://$(MODULE)/releases/download
PLATFORMS ?= linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64
TESTBED := ./testbed

# what the testbed is made of: a folder of charts, "real" for the real Onyxia
export CHARTS ONYXIA

GOFLAGS_RELEASE := -ldflags="-s -w"

# without cgo, as releases are: the linker can leave out a quarter of the program
GO := CGO_ENABLED=0 go

E2E := cd test/e2e && $(GO) test -tags e2e -count=1 -v .

.DEFAULT_GOAL := help

## help: list the targets
.PHONY: help
help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

## build: bin/kubectl-onyxia
.PHONY: build
build:
	$(GO) build $(GOFLAGS_RELEASE) -o bin/kubectl-onyxia ./cmd/kubectl-onyxia

## test: unit tests and commands against a real API server, ACME server and DNS server; no root, no node
.PHONY: test
test:
	$(TESTBED)/build etcd apiserver pebble
	$(GO) vet ./...
	$(GO) test ./...
	cd testbed && $(GO) vet ./... && $(GO) test ./...

# no test has the time in which the cluster's programs are built and its images made the first time
## e2e: everything on a real cluster with real pods; root on Linux
.PHONY: e2e
e2e: build
	$(TESTBED)/demo cluster
	$(E2E) -timeout 60m $(if $(RUN),-run '$(RUN)')
	$(if $(RUN),,$(MAKE) down && $(MAKE) servers)

# What CI takes of it, by what it shows for its time: the whole datalab up from nothing, a second run without a write, Vault
# sealed and opened; a run that is killed and one on a bad network; a person who signs up in a browser.
SAMPLE := TestWholeDatalab|TestChaosNetwork|TestSignUpInBrowser|TestInstalledAsPlugin

## e2e-sample: what CI takes of e2e, each stage once; 10 minutes
.PHONY: e2e-sample
e2e-sample: build
	$(TESTBED)/demo cluster
	$(E2E) -timeout 40m -run '^($(SAMPLE))$$'

## chaos: SIGKILL before and after each write of up, and each fault of the network at each write; an hour
.PHONY: chaos
chaos: build
	$(TESTBED)/demo cluster
	E2E_CHAOS=all $(E2E) -timeout 120m -run '^TestChaos'

# what is said of every server, on the oldest ones in short
OLDER := 20.0.5 21.1.2 24.0.5
NEWEST := $(shell sed -n 's/^newest_keycloak=//p' $(TESTBED)/lib/common.bash)
SHORT := TestRealServers/.*/(configure_twice|hand-made|users|service_account)

## servers: Keycloak of four versions, MinIO and Vault as plain processes, without a cluster; root (port 443), Java 17, Maven, unzip
.PHONY: servers
servers:
	$(TESTBED)/build etcd apiserver pebble minio vault
	$(TESTBED)/keycloak $(OLDER) $(NEWEST)
	KEYCLOAK_VERSIONS="$(OLDER)" $(GO) test ./pkg/keycloak -count=1 -timeout 30m -v -run '$(SHORT)'
	KEYCLOAK_VERSIONS=$(NEWEST) $(GO) test ./pkg/keycloak -count=1 -timeout 30m
	ONYXIA_TEST_REAL=1 KEYCLOAK_VERSIONS=$(NEWEST) $(GO) test ./pkg/s3/... ./pkg/vault/... ./pkg/stage/s3 ./pkg/stage/vault -count=1 -timeout 30m

## demo: a cluster and the whole datalab on this machine, to look at in a browser; root on Linux
.PHONY: demo
demo: build
	$(TESTBED)/demo

## down: end what demo and e2e started
.PHONY: down
down:
	$(TESTBED)/demo down

## bench: how the plugin compares with helm and kubectl, in one run
.PHONY: bench
bench: build
	$(TESTBED)/bench

## lint: static analysis of the code, and of the scripts where shellcheck is installed
.PHONY: lint
lint:
	test -z "$$(gofmt -l cmd pkg internal test testbed)"
	$(GO) vet -tags e2e ./test/...
	$(GO) tool -modfile=tools/go.mod staticcheck -tags e2e ./...
	cd testbed && $(GO) tool -modfile=../tools/go.mod staticcheck ./...
	if command -v shellcheck >/dev/null; then shellcheck -x -P SCRIPTDIR $$(grep -rlE '^#!.*bash' testbed .ci); else echo "shellcheck is not installed: the scripts were not checked"; fi

## docs: docs/commands.md and docs/configuration.md, from the program itself
.PHONY: docs
docs:
	$(GO) run ./internal/docs

## release: dist/ with an archive per platform, their checksums and krew-manifest.yaml; a final VERSION's manifest is kept here
.PHONY: release
release:
	$(GO) run ./internal/release -version $(VERSION) -releases $(RELEASES) $(PLATFORMS)

## clean: remove what was built here; the testbed's programs are outside, in ~/.cache/onyxia-cluster
.PHONY: clean
clean:
	rm -rf bin dist
