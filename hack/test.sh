#!/usr/bin/env bash
# Every test, in the order in which a mistake is cheapest to find.
set -euo pipefail
cd "$(dirname "$0")/.."

began=$SECONDS
step() { printf '\n== [%4ds] %s\n' $((SECONDS - began)) "$*"; }

step "generated files (seconds; a minute the first time)"
make check-generated

step "linters (half a minute; 5 minutes the first time)"
make lint

step "binaries of the Kubernetes that the tests run on (cached; 10 minutes the first time)"
make bin/cluster
KUBEBUILDER_ASSETS=$(bin/cluster binaries kube-apiserver etcd kubectl | tail -n 1)
export KUBEBUILDER_ASSETS

step "the chart: generated files, lint, unit tests (seconds; 3 minutes the first time)"
make check-chart

# Those that run API servers, operators and bots of their own want the machine for themselves.
worlds=$(go list ./controllers ./controllers/plugin ./hack/chart ./hack/faults ./hack/rotation ./hack/soak)
step "unit tests, vectors, fuzz seeds, with the race detector (1 minute; 4 the first time)"
go list ./... | grep -vxF "$worlds" | xargs go test -race -timeout 15m

step "on real API servers: the reconciler, the plug-in, the chart, faults, rotations; the bot under faults; with the race detector (9 minutes)"
go test -race -p 1 -timeout 20m $worlds
(cd hack/tools && go test ./image/...)

step "health and actions for Argo CD, in its own Lua machine, and kstatus (seconds; 4 minutes the first time)"
(cd hack/tools/argocd && go test ./customization/...)

hack/e2e.sh
step "all tests passed"
