// SPDX-License-Identifier: Apache-2.0

// Package django runs what a site really is: daphne with a Django Channels project (the portal around the drop-in app, or the brief's own
// site), its Redis and its database, and the bot's real program, as child processes on loopback. Its tests, and `make try`, are made of
// these parts.
//
// The children die with their parent, however that ends. PYTHON names another interpreter than Debian's, such as that of a virtual
// environment with another version of Django.
package django
