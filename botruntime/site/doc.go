// SPDX-License-Identifier: Apache-2.0

// Package site is the bot's end of the WebSocket to the site, in the versions 1 and 2 of the protocol.
//
// A [Client] dials, holds one session at a time, and dials again when it ends. A dial offers version 2 by its
// subprotocol; a site that does not select it speaks version 1. A session is goroutines that begin and end with it:
//
//	reader    frames -> decoded, verified by the clock of the moment they were read -> tasks; refusals -> writer
//	admitter  tasks -> Store.Admit and Store.Receive, as many as have come in one commit; in version 2, acks -> writer
//	pump      Store.DueResults -> signed afresh -> writer; pongs -> Store.ConfirmResults. In version 2, a lane each for
//	          results, events and what the bot says of itself
//	writer    the only one that writes: results, refusals, pings
//
// What the versions do in their own ways is a dialect; everything else they share.
//
// # Delivery
//
// What was read and verified is admitted, even when the session ends meanwhile. Nothing answers a good request but its
// result, and a result leaves the store only when it has reached the site. Version 1 has no acknowledgement, so the order
// of the connection serves: behind the results goes a WebSocket ping that carries the highest Seq written; the pong that
// brings it back shows that the site has read everything before it. One such ping is on its way at a time. Whatever was
// not confirmed when a session ends is written again in the next; a site drops what it knows by the id.
//
// Version 2 has acks, in both directions. A lane has so many frames on their way at most, sends those again, freshly signed,
// that were not acknowledged within 30 s, and ends the wait of the others. What a site sends is acknowledged when its effect
// is durable, or when it never can have one. A site is told only what it named in its hello; the rest waits in the store.
//
// # Liveness
//
// WebSocket and JSON pings go out at every interval; a connection that brings no frame, ping or pong for two and a half
// intervals is dead. A peer that stops reading is found by the deadline of the writes.
package site
