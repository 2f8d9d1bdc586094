// SPDX-License-Identifier: Apache-2.0

//go:build race

package soak

const (
	raceDetector = true
	// slowness is how much more time things may take.
	slowness = 3
)
