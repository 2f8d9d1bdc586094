// SPDX-License-Identifier: Apache-2.0

// Package e2e tests the whole system on the local cluster: the operator and the bot from their images, the site and
// Telegram simulated in the test's own process. Its tests need the cluster and the images, and so a build tag:
//
//	make cluster-up images && go test -tags e2e -v ./hack/e2e
package e2e
