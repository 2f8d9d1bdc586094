// SPDX-License-Identifier: Apache-2.0

//go:build e2e

// Package argocd tests FeedbackBridge under Argo CD itself: the samples of config/argocd, synced from a git repository on
// this machine. Argo CD's components run as processes of this machine, in a network namespace of their own, with the
// local cluster as the one that they deploy to. setup.sh installs what these need:
//
//	make cluster-up images bin/argocd bin/helm && hack/e2e/argocd/setup.sh && go test -tags e2e -v ./hack/e2e/argocd
package argocd
