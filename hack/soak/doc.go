// SPDX-License-Identifier: Apache-2.0

// Package soak tests the bot's real program where things go wrong: it is killed at random points, its site disconnects in every way,
// Telegram fails in every way, and the disk is full once, while the site sends feedback, people write to the bot and the staff
// works in a forum, a group, and a group that becomes a supergroup on the way; some people block the bot at times, others are banned and forgiven.
// At the end everything that the site, the people and the staff did is compared with what they, and the staff's chats, got:
// nothing may be lost, and what came twice must say so, once a kill and once for each answer of Telegram's that was lost on its way.
// The comparison knows nothing of the bot but its texts.
//
// The site speaks version 1 of the protocol, and in another run version 2, in which it hears of everything that people and staff do; -run
// TestNothingIsLost/v2 chooses.
//
// SOAK says how much: unset is a short form of less than a minute; "full" is 10,000 tickets, 100 kills and 200 disconnects; a duration,
// such as 2h, repeats the full form in the same world until it is over. SOAK_SEED replays the schedule of faults, the feedback and
// what each person does, as far as processes let themselves be repeated; an even one has a topic for each ticket, an odd one for each category; the seed of a run is the first thing that it prints. SOAK_DATABASE=postgres
// has the bot keep its state in a PostgreSQL of the test's own, and SOAK_DSN in an empty one that is there (for one of the runs). After a failure, the directory with the bot's state
// and log is kept, and named.
//
// TestMonth gives the bot's parts a month of traffic by a fast clock, and measures file and memory; SOAK=full does so with 60,000 tickets.
package soak
