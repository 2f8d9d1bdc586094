// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"crypto/sha256"
	"encoding/hex"
)

// annotationHandledRotateNow is, on the Secret with the keys that a rotate-now annotation rotates, the hash of its value
// that was last acted on: written together with the keys, so that no value is acted on twice.
const annotationHandledRotateNow = "feedbackbridge.dev/handled-rotate-now"

// rotateNowHash is a short hash of the annotation's value; empty where it has none.
func rotateNowHash(value string) string {
	if value == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(value))
	return hex.EncodeToString(sum[:8])
}

// asked is whether the annotation has a value that was not acted on, by what is stored with the keys. Keys that are not
// there yet are made new anyhow.
func (in credentialsInput) asked(s stored) bool {
	return s.exists && in.rotateNow != "" && s.annotations[annotationHandledRotateNow] != rotateNowHash(in.rotateNow)
}

// handled is the hash to be stored with the keys.
func (in credentialsInput) handled(s stored) string {
	if hash := rotateNowHash(in.rotateNow); hash != "" {
		return hash
	}
	return s.annotations[annotationHandledRotateNow]
}
