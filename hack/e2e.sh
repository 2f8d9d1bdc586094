#!/usr/bin/env bash
# The tests on the local cluster: the operator by kustomize, by the chart, and under Argo CD. One after the other, for each
# installs the operator its own way.
set -euo pipefail
cd "$(dirname "$0")/.."

began=$SECONDS
step() { printf '\n== [%4ds] %s\n' $((SECONDS - began)) "$*"; }

step "the local cluster (20 seconds; 10 minutes the first time)"
make bin/cluster
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

step "images, and the tools that install them (seconds; 7 minutes the first time)"
hack/e2e/argocd/setup.sh
make images sim-image e2e-tools

step "end to end: delivery, operations, security, rotation, thirty-one breakages, the kubectl plug-in (5 minutes)"
go test -tags e2e -count=1 -parallel 8 -timeout 25m -v ./hack/e2e

step "end to end: the chart's life, from installation to uninstallation (3 minutes)"
go test -tags e2e -count=1 -timeout 20m -v ./hack/e2e/chart

step "end to end: Argo CD syncs the operator and a bridge (4 minutes)"
go test -tags e2e -count=1 -timeout 20m -v ./hack/e2e/argocd
