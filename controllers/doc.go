// SPDX-License-Identifier: Apache-2.0

// Package controllers runs a bot for every FeedbackBridge and reports in the bridge's status how it does.
//
// A reconcile observes (observe.go, credentials.go), builds the children by pure functions (children*.go), applies
// those that differ (apply.go) and writes the status, at the end, when it differs (status.go, conditions.go). A settled
// bridge costs no write: children are compared with what the operator owns in them, and a heartbeat changes nothing.
//
// What a person refers to, Secrets, is watched as metadata and read from the API server only when it changed.
package controllers
