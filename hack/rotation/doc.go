// SPDX-License-Identifier: Apache-2.0

// Package rotation shows that keys rotate without an outage: bridges under continuous feedback, on a real API server, with
// the real operator and the bot's real program, while HMAC keys and signing keys change again and again.
//
// What stands in for a cluster is a kubelet that projects Secrets into the bot's directory as the real one does, late by a
// random time, and starts the bot by its Deployment. The sites are the simulated ones, of three kinds: one that takes over
// the site's Secret at once, one that holds a single HMAC key and swaps it some time later, and one that stays with its
// first keys for ever. Half of the bridges have keys that the operator makes, half have the user's own.
//
// No frame of a site may be refused, no bot may restart, no site may be left alone for a refused token, and every ticket
// is posted once and answered.
//
//	go test ./hack/rotation                                  a short form, in half a minute
//	ROTATIONS=1000 go test -v -timeout 20m ./hack/rotation   the full one
//	ROTATION_SEED=7 go test -v ./hack/rotation               with the random choices of another run
package rotation
