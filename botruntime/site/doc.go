// SPDX-License-Identifier: Apache-2.0

// Package site is the bot's end of the WebSocket to the site, version 1 of the protocol.
//
// A [Client] dials, holds one session at a time, and dials again when it ends. A session is four goroutines that begin
// and end with it:
//
//	reader    frames -> decoded, verified by the clock of the moment they were read -> requests; refusals -> writer
//	admitter  requests -> Store.Admit, as many as have come in one commit
//	pump      Store.DueResults -> signed afresh -> writer; pongs -> Store.ConfirmResults
//	writer    the only one that writes: results, refusals, pings
//
// # Delivery
//
// What was read and verified is admitted, even when the session ends meanwhile. Nothing answers a good request but its
// result, and a result leaves the store only when it has reached the site. Version 1 has no acknowledgement, so the order
// of the connection serves: behind the results goes a WebSocket ping that carries the highest Seq written; the pong that
// brings it back shows that the site has read everything before it. One such ping is on its way at a time. Whatever was
// not confirmed when a session ends is written again in the next; a site drops what it knows by the id.
//
// # Liveness
//
// WebSocket and JSON pings go out at every interval; a connection that brings no frame, ping or pong for two and a half
// intervals is dead. A peer that stops reading is found by the deadline of the writes.
package site
