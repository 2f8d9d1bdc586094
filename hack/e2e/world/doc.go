// SPDX-License-Identifier: Apache-2.0

//go:build e2e

// Package world is what the end-to-end tests share: the local cluster with the operator on it, and for each test a World,
// which is a namespace with one bridge's Secrets, and its site and Telegram simulated in the test's own process.
//
//	func TestMain(m *testing.M) { ... world.Connect(ctx, root) ... world.InstallOperator(ctx, root) ... }
//
//	w := world.New(t)
//	w.Bridge.Spec.Runtime.Replicas = new(int32(2)) // anything a test wants otherwise
//	w.Apply()
//	result := w.Result(w.Send(1, "text"), 15*time.Second)
package world
