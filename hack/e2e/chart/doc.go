// SPDX-License-Identifier: Apache-2.0

// Package chart tests the Helm chart on the local cluster, with Helm's own program: install, test, upgrade, rollback,
// uninstall, and that whoever waits for a bridge (helm --wait, kubectl wait) hears the truth. It puts the operator of
// config/default away first, and leaves none; so it does not run beside the other end-to-end tests, but after them:
//
//	make cluster-up images chart-tools && go test -tags e2e -v ./hack/e2e/chart
package chart
