// SPDX-License-Identifier: Apache-2.0

// Package chart tests what is installed: the Helm chart, the kustomizations beside it, the alerts and the dashboard. The
// chart's own unit tests are in charts/feedbackbridge/tests; these are the ones that need more than its templates: the
// API server, Prometheus's own tool, and the programs' metrics.
//
//	make check-chart        # the tools, lint, the unit tests
//	go test ./hack/chart    # these
package chart
