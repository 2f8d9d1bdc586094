// SPDX-License-Identifier: Apache-2.0

// Package telegram is the bot's Telegram side: it posts what the store's outbox holds, takes updates, and says how it
// stands with Telegram.
//
//	store.OutboxReady -> sender -> one goroutine a chat: claim, send, record
//	getUpdates -> store -> handler -> effects, committed with the end of the update
//
// Nothing is confirmed to Telegram before it is in the store, and nothing leaves the store before Telegram has it. What
// Telegram says of a failed call is read in one place (verdict.go); what follows from it is decided in delivery.go.
package telegram
