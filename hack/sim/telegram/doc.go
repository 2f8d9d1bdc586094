// SPDX-License-Identifier: Apache-2.0

// Package telegram simulates Telegram for tests and demonstrations: the Bot API as one bot sees it, the people on the
// other side, and a web page that shows the chats as they would see them.
//
// A Server is an http.Handler. It serves
//
//	/bot<token>/<method>  the Bot API (JSON, forms, multipart forms and URL queries, as the real one)
//	/                     the page
//	/sim/...              the control API, for tests that run in another process
//
// # What it simulates
//
// Methods: getMe, getUpdates, getWebhookInfo, deleteWebhook, setMyCommands, getMyCommands, deleteMyCommands, getChat,
// getChatMember, getChatAdministrators, getChatMemberCount, sendMessage, copyMessage, sendChatAction, editMessageText,
// editMessageCaption, editMessageReplyMarkup, deleteMessage, setMessageReaction, answerCallbackQuery, createForumTopic, editForumTopic,
// closeForumTopic, reopenForumTopic, deleteForumTopic. Texts go through package richtext, so that what Telegram
// refuses is refused with the same words. Rate limits are sliding windows (see Limits); a refused request does not
// count. Messages, copies, edits and what changes a topic count; reactions and answers to presses do not. Bots see in groups what
// Telegram lets them see: a bot in privacy mode that is no administrator gets commands and answers to its own messages only.
//
// Left out: the contents of files, sending media but by copyMessage, inline mode, payments, webhooks, Markdown, reply keyboards (accepted and not shown), splitting of
// styles around detected hashtags, and the three-second pauses with which Telegram slows down pollers that fight.
// Of top-level domains, only common ones make a link of a word without a scheme.
//
// Choices where Telegram's answer depends on its servers: a callback query can be answered once, for 150 seconds;
// getUpdates with timeout 0 never waits; a topic that was deleted is refused as TOPIC_DELETED, one that never was as "message
// thread not found". In a topic, what answers nothing else answers the message that began it.
//
// # Control API
//
// Bodies and answers are JSON; errors are {"error": "..."} with status 400 or 404. Times are RFC 3339, waits are Go
// durations of at most a minute, and a wait that ends without the thing waited for answers with what there is.
//
//	GET    /sim/chats                                     the chats: id, type, title, bot_status, messages...
//	POST   /sim/chats     Chat                            adds a chat or changes its settings
//	POST   /sim/migrate   {from, to}                      makes a supergroup of a group
//	GET    /sim/messages?chat=&since=&limit=&min=&wait=   the messages of a chat that changed after revision since, the
//	                                                      last limit of them; waits until the chat has min messages
//	POST   /sim/messages  Message                         puts a message in a chat as if another run of the bot had
//	                                                      posted it (html may stand instead of text and entities)
//	DELETE /sim/messages?chat=&id=                        deletes a message, as an administrator would
//	POST   /sim/say       Incoming                        a person writes: {chat_id, text, by, reply_to, media, ...}
//	POST   /sim/edit      {chat_id, message_id, text}     a person changes an own message
//	PUT    /sim/members   {chat_id, by, status}           makes a person something in a chat
//	POST   /sim/press     {chat_id, message_id, data, by} a person presses a button; answers {id}. With "forged": true
//	                                                      the message need not have such a button
//	GET    /sim/callback?id=&wait=                        what the bot answered to a press; waits for it
//	GET    /sim/state?chat=&since=&me=&wait=              chats, people, and the changed messages of one chat; waits
//	                                                      until something changed after revision since
//	GET    /sim/stats                                     Stats
//	GET    /sim/requests?limit=                           the last Bot API requests with their parameters and errors
//	GET    /sim/faults                                    the faults in force
//	PUT    /sim/faults    [Fault, ...]                    replaces them; [] ends them all
//	PUT    /sim/limits    Limits                          replaces the rate limits
//	PUT    /sim/token     {token}                         replaces the bot's token: the old one is unauthorized
package telegram
