// SPDX-License-Identifier: Apache-2.0

// Package wire is the protocol between a site and the bot, in its versions 1
// and 2: JSON frames, their canonical form, and the HMAC signatures over it. It
// does no I/O, reads no clock and keeps no state; every function may be called
// from several goroutines at once.
//
// # Canonical JSON
//
// A signature covers what CPython prints for
//
//	json.dumps(json.loads(payload), sort_keys=True, separators=(',', ':'), ensure_ascii=E)
//
// byte for byte. Sites exist with either value of E, so there are two forms,
// [FormUTF8] (E=False) and [FormASCII] (E=True); a verifier accepts both and
// answers in the one that its peer used. [Parse] accepts what json.loads
// accepts from valid UTF-8, less NaN, Infinity, numbers that overflow, and
// whatever is over the [Limits].
//
// # Lone surrogates
//
// JSON may escape half of a surrogate pair ("\ud800"), and CPython keeps it.
// Such a string has no UTF-8 form: [FormUTF8] refuses it, [FormASCII] prints
// its escape. [Feedback] shows it as U+FFFD. [NewFeedback].ID and
// [Result].ID keep it, in the three bytes that UTF-8 would use if it allowed
// surrogates (WTF-8), because an id has to be echoed exactly.
//
// # Checks
//
// A frame of type "new_feedback" passes, in this order: [Decode] (its shape),
// [NewFeedback.Verify] (signature, then age), [NewFeedback.Payload]. Whoever
// owns the store goes on with the nonce ([ErrReplayedNonce]) and with
// duplicates. The first error decides the answer; [Reason] spells it.
//
// # Nonces
//
// A frame may be TTL old or, by the site's clock, TTL early. Its signature is
// therefore good for 2 x TTL at most, and that is how long its nonce has to be
// remembered, durably: see [NonceTTL]. A nonce that comes again with the same
// id is a re-send, not a replay.
//
// # Version 2
//
// Every frame but ping and pong is an envelope {v: 2, to, type, id, data, ts,
// nonce, kid, sig}. The signature is HMAC-SHA256, in hexadecimal digits, over the
// canonical form, in [FormUTF8], of the envelope without sig, with the key that
// kid names: nothing in it can be swapped. A frame passes [DecodeV2], then
// [Envelope.Verify], then the reader of its type, such as [Envelope.Status].
// [AppendV2] prints a [Body] as a frame. docs/protocol describes both versions
// by JSON Schemas.
package wire
