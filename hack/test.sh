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

step "unit tests, vectors, fuzz seeds, and the reconciler on a real API server, with the race detector (1 minute; 4 the first time)"
go test -race -timeout 15m ./...
(cd hack/tools && go test ./image/...)

step "the local cluster (20 seconds; 10 minutes the first time)"
# A cluster that was up stays up; one that was started for the tests is stopped after them.
bin/cluster status >/dev/null 2>&1 || trap 'bin/cluster down' EXIT
rc=0
bin/cluster up || rc=$?
if [ "$rc" -eq 3 ]; then
  trap - EXIT
  printf '\nLEFT OUT: the end-to-end tests. This machine can run neither containers (see the reason above) nor kind.\n'
  exit 0
elif [ "$rc" -ne 0 ]; then
  exit "$rc"
fi

step "end-to-end tests on the cluster (1 minute)"
make images sim-image
go test -tags e2e -count=1 -timeout 25m -v ./hack/e2e
step "all tests passed"
