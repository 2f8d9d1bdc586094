# SPDX-License-Identifier: Apache-2.0
SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
TAG     ?= dev
BIN     := bin
LDFLAGS := -s -w -X main.version=$(VERSION)
SOURCES := $(shell git ls-files '*.go' go.mod go.sum 2>/dev/null)

##@ Everyday

.PHONY: help
help: ## Show this help
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-zA-Z0-9_-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: setup $(BIN)/demo $(BIN)/cluster images sim-image ## Start everything on this machine and carry sample feedback (1 minute; 15 the first time)
	@$(BIN)/demo up

.PHONY: demo-down
demo-down: $(BIN)/demo $(BIN)/cluster ## Stop what `make demo` started
	@$(BIN)/demo down

.PHONY: try
try: setup $(BIN)/try $(BIN)/feedbackbridge-bot ## Run a Django site, a simulated Telegram and the bot on this machine, without Kubernetes (seconds)
	@$(BIN)/try

.PHONY: test
test: setup ## Run every test (25 minutes; the first time it builds Kubernetes as well)
	@hack/test.sh

.PHONY: e2e
e2e: setup ## Run the tests on the local cluster only: operator, chart, Argo CD (10 minutes)
	@hack/e2e.sh

.PHONY: e2e-tools
e2e-tools: chart-tools $(BIN)/argocd $(BIN)/kubectl-feedbackbridge

.PHONY: rotation
rotation: bin/cluster ## Rotate keys 1,000 times under traffic, with sites of three kinds (10 minutes)
	@KUBEBUILDER_ASSETS=$$(bin/cluster binaries kube-apiserver etcd | tail -n 1) ROTATIONS=$(or $(ROTATIONS),1000) \
		go test -count=1 -v -timeout 40m ./hack/rotation

.PHONY: soak
soak: ## Kill, disconnect and starve the bot under 10,000 tickets, and give it a month's (20 minutes; SOAK=2h goes on for so long)
	@SOAK=$(or $(SOAK),full) go test -count=1 -v -timeout 0 ./hack/soak

.PHONY: load
load: build bin/cluster ## Measure the operator with 2,000 bridges; prints the figures of docs/performance.md (25 minutes)
	@KUBEBUILDER_ASSETS=$$(bin/cluster binaries kube-apiserver etcd | tail -n 1) \
		go run ./hack/load --bridges $(or $(BRIDGES),2000) --settled $(or $(SETTLED),10m)

.PHONY: bench
bench: build $(BIN)/bench ## Measure the bot; prints the figures of docs/performance.md (1 minute)
	@$(BIN)/bench --bot $(BIN)/feedbackbridge-bot

##@ Build

.PHONY: build
build: $(BIN)/feedbackbridge-operator $(BIN)/feedbackbridge-bot $(BIN)/kubectl-feedbackbridge ## Build operator, bot and kubectl plug-in into bin/

$(BIN)/kubectl-feedbackbridge: $(BIN)/feedbackbridge-operator
	@ln -sf feedbackbridge-operator $@

$(BIN)/feedbackbridge-operator: $(SOURCES)
	@CGO_ENABLED=0 go build -trimpath -ldflags "$(LDFLAGS)" -o $@ .

$(BIN)/feedbackbridge-bot: $(SOURCES)
	@CGO_ENABLED=0 go build -trimpath -ldflags "$(LDFLAGS)" -o $@ ./botruntime

$(BIN)/sim $(BIN)/cluster $(BIN)/demo $(BIN)/bench $(BIN)/try: $(BIN)/%: $(SOURCES)
	@CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o $@ ./hack/$*

.PHONY: images
images: $(BIN)/images/operator.tar $(BIN)/images/bot.tar ## Build the images into bin/images/, without a container engine

.PHONY: sim-image
sim-image: $(BIN)/images/sim.tar # test equipment, kept apart from the product's images

define image
	@mkdir -p $(BIN)/images
	@$(BIN)/image --binary $< --name docker.io/library/$(1):$(TAG) --entrypoint /$(1) --output $@ \
		--file /etc/ssl/certs/ca-certificates.crt:/etc/ssl/certs/ca-certificates.crt
endef

$(BIN)/images/operator.tar: $(BIN)/feedbackbridge-operator $(BIN)/image
	$(call image,feedbackbridge-operator)

$(BIN)/images/bot.tar: $(BIN)/feedbackbridge-bot $(BIN)/image
	$(call image,feedbackbridge-bot)

$(BIN)/images/sim.tar: $(BIN)/sim $(BIN)/image
	$(call image,feedbackbridge-sim)

##@ Generated files

.PHONY: generate
generate: $(BIN)/controller-gen ## Generate deepcopy functions and apply configurations
	@$(BIN)/controller-gen object:headerFile=hack/boilerplate.go.txt applyconfiguration:headerFile=hack/boilerplate.go.txt paths=./api/...

.PHONY: manifests
manifests: $(BIN)/controller-gen ## Generate the CRD, the operator's role and Argo CD's snippet
	@$(BIN)/controller-gen crd paths=./api/... output:crd:dir=config/crd/bases
	@$(BIN)/controller-gen rbac:roleName=feedbackbridge-operator paths=./controllers/... output:rbac:dir=config/rbac
	@config/argocd/generate.sh

.PHONY: reference
reference: ## Write docs/reference.md from the sources
	@go run ./hack/reference > docs/reference.md

.PHONY: check-generated
check-generated: generate manifests ## Fail where a generated file is not what the sources give
	@git diff --exit-code -- api config || { echo "generated files differ: run 'make generate manifests' and commit" >&2; exit 1; }
	@go run ./hack/reference | diff -u docs/reference.md - || { echo "docs/reference.md differs: run 'make reference' and commit" >&2; exit 1; }
	@go mod tidy -diff

##@ Quality

.PHONY: lint
lint: $(BIN)/golangci-lint ## Run the linters
	@$(BIN)/golangci-lint run --allow-parallel-runners ./...

.PHONY: fuzz
fuzz: ## Fuzz each parser for FUZZTIME (default 30s)
	@hack/fuzz.sh $(or $(FUZZTIME),30s)

##@ Chart

CHART := charts/feedbackbridge

.PHONY: chart
chart: ## Generate the chart's README, schema and copies of config/
	@go -C hack/tools/helm run ./chartgen --root ../../..

.PHONY: check-chart
check-chart: chart-tools ## Fail where those are not current; lint the chart and run its unit tests
	@go -C hack/tools/helm test ./chartgen
	@go -C hack/tools/helm run ./chartgen --root ../../.. --check
	@for values in $(CHART)/ci/*.yaml; do $(BIN)/helm lint --strict --quiet --values $$values $(CHART); done
	@$(BIN)/helm-unittest --strict $(CHART)

.PHONY: chart-tools
chart-tools: $(BIN)/helm $(BIN)/helm-unittest $(BIN)/kustomize $(BIN)/promtool

##@ Local cluster

.PHONY: cluster-up
cluster-up: setup $(BIN)/cluster ## Start a real Kubernetes on this machine (20 seconds; 10 minutes the first time)
	@$(BIN)/cluster up

.PHONY: cluster-down
cluster-down: $(BIN)/cluster ## Stop it
	@$(BIN)/cluster down

.PHONY: cluster-status
cluster-status: $(BIN)/cluster ## Show how it is
	@$(BIN)/cluster status

# Tools are pinned in hack/tools; they are built again when their pins change.

$(BIN)/controller-gen: hack/tools/go.mod
	@go -C hack/tools build -o $(abspath $@) sigs.k8s.io/controller-tools/cmd/controller-gen

$(BIN)/kustomize: hack/tools/go.mod
	@go -C hack/tools build -o $(abspath $@) sigs.k8s.io/kustomize/kustomize/v5

$(BIN)/helm: hack/tools/helm/go.mod
	@echo "building helm (a minute and a half the first time)"
	@go -C hack/tools/helm build -o $(abspath $@) helm.sh/helm/v4/cmd/helm

$(BIN)/helm-unittest: hack/tools/helm/go.mod
	@go -C hack/tools/helm build -o $(abspath $@) github.com/helm-unittest/helm-unittest/cmd/helm-unittest

$(BIN)/promtool: hack/chart/promtool.sh
	@hack/chart/promtool.sh $@

$(BIN)/argocd: hack/tools/argocd/go.mod
	@echo "building Argo CD (5 minutes the first time)"
	@CGO_ENABLED=0 go -C hack/tools/argocd build -trimpath -ldflags "-s -w" -o $(abspath $@) github.com/argoproj/argo-cd/v3/cmd

$(BIN)/image: hack/tools/go.mod $(wildcard hack/tools/image/*.go)
	@go -C hack/tools build -o $(abspath $@) ./image

$(BIN)/golangci-lint: hack/tools/lint/go.mod
	@echo "building golangci-lint (2 minutes the first time)"
	@go -C hack/tools/lint build -o $(abspath $@) sigs.k8s.io/kube-api-linter/cmd/golangci-lint-kube-api-linter

.PHONY: setup
setup:
	@hack/setup.sh
