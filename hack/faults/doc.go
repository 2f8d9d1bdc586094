// SPDX-License-Identifier: Apache-2.0

// Package faults tests the operator where things go wrong: two operators on an API server of their own, one call in ten
// failing or taking effect late, leaders killed, stopped, paused and cut off, the API server restarted, and keys rotated
// all the while under the traffic of model bots and model sites.
//
// FAULTS_TIME is how long the faults last (20s unless given), and each kind of fault comes once at least. FAULTS_SEED replays the faults, the moments and the order
// of what is done, as far as two operators, an API server and a scheduler let themselves be repeated; the seed of a run
// is the first thing that it prints.
package faults
