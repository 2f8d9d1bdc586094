// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// The types of a bridge's conditions.
const (
	// ConditionReady is True when feedback flows: the bot runs, the site is connected, Telegram answers.
	ConditionReady = "Ready"
	// ConditionReconciling is present while the operator or the bot is on its way to Ready.
	ConditionReconciling = "Reconciling"
	// ConditionStalled is present while nothing will improve until a person changes something.
	ConditionStalled = "Stalled"
	// ConditionWorkloadAvailable is True when the bot's pod runs.
	ConditionWorkloadAvailable = "WorkloadAvailable"
	// ConditionSiteConnected is True while the WebSocket to the site is open and its frames are accepted, Unknown when the
	// bot does not report.
	ConditionSiteConnected = "SiteConnected"
	// ConditionTelegramReachable is True while the Bot API answers and the chat can be posted to.
	ConditionTelegramReachable = "TelegramReachable"
	// ConditionCredentialsReady is True when every referenced Secret is there and well-formed.
	ConditionCredentialsReady = "CredentialsReady"
	// ConditionRotationOverdue is present while the site goes on using a key that it should have replaced. The bridge works,
	// with the key before.
	ConditionRotationOverdue = "RotationOverdue"
)

// The reasons that conditions carry.
const (
	// ReasonReady: everything works.
	ReasonReady = "Ready"
	// ReasonProgressing: children were written, or the bot is starting.
	ReasonProgressing = "Progressing"
	// ReasonSuspended: spec.suspend is true.
	ReasonSuspended = "Suspended"
	// ReasonInvalidSpec: the spec has a value that only the operator can check, such as an unknown time zone.
	ReasonInvalidSpec = "InvalidSpec"
	// ReasonSecretNotFound: a referenced Secret does not exist.
	ReasonSecretNotFound = "SecretNotFound"
	// ReasonSecretKeyNotFound: a referenced Secret lacks the key.
	ReasonSecretKeyNotFound = "SecretKeyNotFound"
	// ReasonSecretMalformed: a referenced Secret's value is not what it should be.
	ReasonSecretMalformed = "SecretMalformed"
	// ReasonTokenExpired: the ready token has expired.
	ReasonTokenExpired = "TokenExpired"
	// ReasonCredentialsReady: every referenced Secret is there and well-formed.
	ReasonCredentialsReady = "CredentialsReady"
	// ReasonApplyFailed: the API server refused one of the bot's objects.
	ReasonApplyFailed = "ApplyFailed"
	// ReasonWorkloadAvailable: the bot's pod runs.
	ReasonWorkloadAvailable = "WorkloadAvailable"
	// ReasonWorkloadUnavailable: the bot's pod does not run, or not yet.
	ReasonWorkloadUnavailable = "WorkloadUnavailable"
	// ReasonHeartbeatMissing: the bot has not reported yet.
	ReasonHeartbeatMissing = "HeartbeatMissing"
	// ReasonHeartbeatStale: the bot has stopped reporting.
	ReasonHeartbeatStale = "HeartbeatStale"

	// ReasonSiteKeyNotAdopted: the site had a new HMAC key for longer than the overlap, and signs with the one before.
	ReasonSiteKeyNotAdopted = "SiteKeyNotAdopted"
	// ReasonSigningKeyNotAdopted: the site refuses tokens that are signed with the new key, and accepts the one before.
	ReasonSigningKeyNotAdopted = "SigningKeyNotAdopted"

	// ReasonConnected: the WebSocket is open.
	ReasonConnected = "Connected"
	// ReasonConnecting: the bot is dialling for the first time.
	ReasonConnecting = "Connecting"
	// ReasonCredentialsRefused: the site refused the token (HTTP 401 or 403, or a close with 4401, 4403 or 1008).
	ReasonCredentialsRefused = "CredentialsRefused"
	// ReasonDNSFailure: the site's name does not resolve.
	ReasonDNSFailure = "DNSFailure"
	// ReasonTLSFailure: the site's certificate is not accepted.
	ReasonTLSFailure = "TLSFailure"
	// ReasonConnectionRefused: nothing listens at the site's address.
	ReasonConnectionRefused = "ConnectionRefused"
	// ReasonHandshakeFailed: the site answered the handshake with something else than a WebSocket.
	ReasonHandshakeFailed = "HandshakeFailed"
	// ReasonTimeout: the site did not answer in time, or stopped answering pings.
	ReasonTimeout = "Timeout"
	// ReasonConnectionLost: the connection ended without a goodbye.
	ReasonConnectionLost = "ConnectionLost"
	// ReasonConnectionClosed: the site closed the connection.
	ReasonConnectionClosed = "ConnectionClosed"

	// ReasonSiteKeyMismatch: the WebSocket is open, and the site signs with an HMAC key that the bot does not hold.
	ReasonSiteKeyMismatch = "SiteKeyMismatch"
	// ReasonClockSkew: the WebSocket is open, and the times of the site's frames are too far from the bot's clock.
	ReasonClockSkew = "ClockSkew"

	// ReasonReachable: the Bot API answers and the chat can be posted to.
	ReasonReachable = "Reachable"
	// ReasonChecking: the bot has not heard from Telegram yet.
	ReasonChecking = "Checking"
	// ReasonTokenRefused: Telegram does not know the bot's token.
	ReasonTokenRefused = "TokenRefused"
	// ReasonChatNotFound: the chat does not exist, or the bot is not in it.
	ReasonChatNotFound = "ChatNotFound"
	// ReasonNoRights: the bot may not post in the chat, or was removed from it.
	ReasonNoRights = "NoRights"
	// ReasonChatMigrated: the group became a supergroup and has another id now.
	ReasonChatMigrated = "ChatMigrated"
	// ReasonAnotherPoller: another program takes this bot's updates.
	ReasonAnotherPoller = "AnotherPoller"
	// ReasonRateLimited: Telegram asked the bot to wait.
	ReasonRateLimited = "RateLimited"
	// ReasonUnreachable: the Bot API does not answer, or answers with server errors.
	ReasonUnreachable = "Unreachable"
)
