// SPDX-License-Identifier: Apache-2.0

// Package plugin is kubectl's plug-in: `kubectl feedbackbridge status|rotate|doctor|send-test|tickets`. It is part of the
// operator's program, works with the rights of the person who runs it, and keeps nothing.
//
// Each command gathers what it needs from the API server (and, by exec, from the bot), decides in pure functions, and
// prints. What it prints comes from a cluster that others write to: nothing of it reaches the terminal as a control
// sequence.
package plugin
