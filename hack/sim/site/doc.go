// SPDX-License-Identifier: Apache-2.0

// Package site simulates a web site that sends feedback to the bot, for tests and demonstrations: versions 1 and 2 of the
// protocol, a page with a feedback form, and every kind of misbehaviour that a bot has to survive.
//
// A Server is an http.Handler. It serves
//
//	/ws/feedback-bot  the WebSocket (Config.Path)
//	/                 the page: a feedback form, and what became of the feedback
//	/sim/...          the control API, for tests that run in another process
//
// Like Django Channels it answers 403 to a handshake without a good token, or without an Origin of its own. Feedback goes
// to the connection that was opened last; without one it waits. Results are taken from any connection.
//
// # Control API
//
// Bodies and answers are JSON; errors are {"error": "..."} with status 400, 404, or 409 where there is no connection.
// Times are RFC 3339, durations and waits Go's ("1.5s"), a wait lasts a minute at most, and one that ends without the
// thing waited for answers with what there is.
//
//	POST   /sim/feedback  Outgoing                      sends a feedback, {"data": {...}}, or in version 2 any other frame,
//	                                                    {"type": "feedback_status", "data": {...}}; answers {id}
//	GET    /sim/feedback?id=&wait=                      Sent: the feedback, and its result once there is one; waits for it
//	GET    /sim/results?min=&wait=                      Stats; waits until min feedbacks have a verified result
//	GET    /sim/received?type=&min=&wait=               the frames of version 2 that the bot sent, of a type; waits for min of them
//	PUT    /sim/protocol  {protocol}                    speaks v1 or v2 with connections from now on; open ones stay
//	GET    /sim/connected?connections=&wait=            Stats; waits for an open connection, at least the n-th ever opened
//	GET    /sim/state?since=&limit=&wait=               {revision, connected, stats, feedback}: the feedback that changed
//	                                                    after revision since, the last limit of them; waits for a change
//	POST   /sim/raw       {text | base64, binary}       sends a message as it is
//	POST   /sim/drop                                    resets the connections without a goodbye
//	POST   /sim/close     {code, text}                  closes the connections
//	GET    /sim/faults                                  Faults
//	PUT    /sim/faults    Faults                        replaces them; {} ends them all
//	PUT    /sim/key       {secret, form}                signs with another key, or in another form, from now on
//	PUT    /sim/key       {secrets, form}               holds these keys alone from now on, and signs with the first
//	PUT    /sim/token     {token, jwt_keys, jwks}       accepts another token, or tokens by these keys (secrets, PEM, a key
//	                                                    set), from now on; open connections stay
//	PUT    /sim/clock     {ahead}                       puts the site's clock ahead, or behind with a minus
package site
