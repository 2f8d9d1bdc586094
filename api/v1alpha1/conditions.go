// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// docs/reference.md is made from this file: the first sentence of a comment says what a thing means, the rest what to do.

// The types of a bridge's conditions.
const (
	// ConditionReady is True when feedback flows: the bot runs, the site is connected, Telegram answers. Otherwise its reason
	// and message are those of the condition nearest to the cause. A connection to the site that is lost has 30 s to come back
	// before Ready becomes False, unless a person has to act.
	ConditionReady = "Ready"
	// ConditionReconciling is present while the operator or the bot is on its way to Ready. Wait.
	ConditionReconciling = "Reconciling"
	// ConditionStalled is present while nothing will improve until a person changes something. Do what its message says.
	ConditionStalled = "Stalled"
	// ConditionWorkloadAvailable is True when the bot's pod runs.
	ConditionWorkloadAvailable = "WorkloadAvailable"
	// ConditionSiteConnected is True while the WebSocket to the site is open and its frames are accepted, Unknown when the
	// bot does not report.
	ConditionSiteConnected = "SiteConnected"
	// ConditionTelegramReachable is True while the Bot API answers and the chat can be posted to, Unknown when the bot does not
	// report.
	ConditionTelegramReachable = "TelegramReachable"
	// ConditionCredentialsReady is True when every referenced Secret is there and well-formed.
	ConditionCredentialsReady = "CredentialsReady"
	// ConditionRotationOverdue is present while the site goes on using a key that it should have replaced. The bridge works,
	// with the key before: give the site the new one.
	ConditionRotationOverdue = "RotationOverdue"
	// ConditionStorageTrouble is present while something is wrong with what the bot keeps its state in. Do what its message
	// says; Ready tells whether the bridge works meanwhile.
	ConditionStorageTrouble = "StorageTrouble"
)

// The reasons of Ready, Reconciling and Stalled that are no other condition's.
const (
	// ReasonReady: everything works.
	ReasonReady = "Ready"
	// ReasonProgressing: children were written, or the bot is starting. Wait; the message says for what.
	ReasonProgressing = "Progressing"
	// ReasonSuspended: spec.suspend is true. Set it to false to go on.
	ReasonSuspended = "Suspended"
	// ReasonInvalidSpec: the spec has a value that only the operator can check, such as an unknown time zone. Correct the field
	// that the message names.
	ReasonInvalidSpec = "InvalidSpec"
	// ReasonApplyFailed: the API server refused one of the bot's objects, or one of its name is somebody else's. The message
	// has the API server's words, and what to change.
	ReasonApplyFailed = "ApplyFailed"
)

// The reasons of CredentialsReady.
const (
	// ReasonCredentialsReady: every referenced Secret is there and well-formed.
	ReasonCredentialsReady = "CredentialsReady"
	// ReasonSecretNotFound: a referenced Secret does not exist. Create it, or correct its name in the spec.
	ReasonSecretNotFound = "SecretNotFound"
	// ReasonSecretKeyNotFound: a referenced Secret lacks the key. The message lists the keys that it has: add the one that is
	// missing, or correct its name in the spec.
	ReasonSecretKeyNotFound = "SecretKeyNotFound"
	// ReasonSecretMalformed: a referenced Secret's value is not what it should be. Store what the message asks for.
	ReasonSecretMalformed = "SecretMalformed"
	// ReasonSecretUnreadable: the API server does not let the operator read a Secret. Give it the rights of its role in the bridge's
	// namespace; the message has the API server's words.
	ReasonSecretUnreadable = "SecretUnreadable"
	// ReasonTokenExpired: the token for the site has expired. Store a new one, or the key that the operator renews it with.
	ReasonTokenExpired = "TokenExpired"
)

// The reasons of WorkloadAvailable. Ready repeats them.
const (
	// ReasonWorkloadAvailable: the bot's pod runs.
	ReasonWorkloadAvailable = "WorkloadAvailable"
	// ReasonWorkloadUnavailable: the bot's pod does not run, or not yet. See the message for what it waits for.
	ReasonWorkloadUnavailable = "WorkloadUnavailable"
	// ReasonVolumePending: the claim for the bot's state has no volume. See that its storage class exists and provides volumes,
	// or store the state otherwise.
	ReasonVolumePending = "VolumePending"
	// ReasonImageUnavailable: the bot's image cannot be pulled. Correct spec.runtime.image or the operator's --bot-image, or give
	// the pod's service account the pull secret.
	ReasonImageUnavailable = "ImageUnavailable"
	// ReasonQuotaExceeded: the namespace's ResourceQuota leaves no room for the bot. Raise it, or ask for less in
	// spec.runtime.resources or spec.storage.
	ReasonQuotaExceeded = "QuotaExceeded"
	// ReasonPodRefused: the API server does not admit the bot's pod. Change the policy that the message names, or what
	// spec.runtime asks for.
	ReasonPodRefused = "PodRefused"
	// ReasonUnschedulable: no node takes the bot's pod. Change spec.runtime's resources, nodeSelector, tolerations or affinity, or
	// add nodes.
	ReasonUnschedulable = "Unschedulable"
	// ReasonCrashing: the bot ends again and again. The message has its last words; look at its log.
	ReasonCrashing = "Crashing"
)

// The reasons of conditions whose peer the bot says nothing of. WorkloadAvailable has them where the pod runs.
const (
	// ReasonHeartbeatMissing: the bot has not reported yet. Wait until it has started; after a minute, look at its pod's log.
	ReasonHeartbeatMissing = "HeartbeatMissing"
	// ReasonHeartbeatStale: the bot has stopped reporting. Look at its pod's log, and whether the pod reaches the API server.
	ReasonHeartbeatStale = "HeartbeatStale"
)

// The reasons of RotationOverdue.
const (
	// ReasonSiteKeyNotAdopted: the site had a new HMAC key for longer than the overlap, and signs with the one before. Load the
	// new key into the site.
	ReasonSiteKeyNotAdopted = "SiteKeyNotAdopted"
	// ReasonSigningKeyNotAdopted: the site refuses tokens that are signed with the new key, and accepts the one before. Load the
	// new public key into the site.
	ReasonSigningKeyNotAdopted = "SigningKeyNotAdopted"
)

// The reasons of StorageTrouble.
const (
	// ReasonStorageCorrupt: the bot's database was damaged, and it works on with a new one; tickets that waited are in the file set
	// aside. Look at the file that the message names, and move it away.
	ReasonStorageCorrupt = "StorageCorrupt"
	// ReasonStorageFull: there is no room for the bot's database. Nothing is lost, and nothing is taken. Give the volume or the
	// database more room, or keep less by spec.storage.retention.
	ReasonStorageFull = "StorageFull"
	// ReasonStorageUnreachable: the bot does not reach its database. Start the database, correct the connection string in the Secret of
	// spec.storage.postgres.dsnSecretRef, or let the bot through to spec.storage.postgres.port.
	ReasonStorageUnreachable = "StorageUnreachable"
)

// The reasons of SiteConnected.
const (
	// ReasonConnected: the WebSocket is open.
	ReasonConnected = "Connected"
	// ReasonConnecting: the bot is dialling for the first time. Wait.
	ReasonConnecting = "Connecting"
	// ReasonCredentialsRefused: the site refused the token (HTTP 401 or 403, or a close with 4401, 4403 or 1008). Have the site
	// check tokens with the key that the message names, or store a token that it accepts; a 403 may also be the site's check of
	// the Origin.
	ReasonCredentialsRefused = "CredentialsRefused"
	// ReasonDNSFailure: the site's name does not resolve. Correct the host in spec.site.url, or mend the name's DNS record.
	ReasonDNSFailure = "DNSFailure"
	// ReasonTLSFailure: the site's certificate is not accepted. Renew it, or set spec.site.tls to the authority or the name that it
	// bears.
	ReasonTLSFailure = "TLSFailure"
	// ReasonConnectionRefused: nothing listens at the site's address, or no way leads there. Correct host and port in
	// spec.site.url, start the site, or let the cluster through its firewall.
	ReasonConnectionRefused = "ConnectionRefused"
	// ReasonHandshakeFailed: the site answered the handshake with something else than a WebSocket. Correct the path in
	// spec.site.url, or have the proxy before the site pass on the Upgrade.
	ReasonHandshakeFailed = "HandshakeFailed"
	// ReasonProtocolTooOld: the site speaks version 1 of the protocol, and spec.site.protocol demands version 2. Upgrade the site,
	// or set spec.site.protocol: Auto.
	ReasonProtocolTooOld = "ProtocolTooOld"
	// ReasonTimeout: the site did not answer in time, or stopped answering pings. See that the site runs, and that no firewall
	// between drops its packets.
	ReasonTimeout = "Timeout"
	// ReasonConnectionLost: the connection ended without a goodbye. The bot dials again by itself; where it happens often, look at
	// the site's log and at the idle timeouts of the proxies between.
	ReasonConnectionLost = "ConnectionLost"
	// ReasonConnectionClosed: the site closed the connection. The bot dials again by itself; where it happens often, look at the
	// site's log for the code that the message has.
	ReasonConnectionClosed = "ConnectionClosed"
	// ReasonSiteKeyMismatch: the WebSocket is open, and the site signs with an HMAC key that the bot does not hold. Give the site
	// the key from the Secret that the message names.
	ReasonSiteKeyMismatch = "SiteKeyMismatch"
	// ReasonClockSkew: the WebSocket is open, and the times of the site's frames are too far from the bot's clock. Set the clocks of
	// the site and of the bot's node, or raise spec.credentials.hmac.messageTTL.
	ReasonClockSkew = "ClockSkew"
)

// The reasons of TelegramReachable.
const (
	// ReasonReachable: the Bot API answers and the chat can be posted to.
	ReasonReachable = "Reachable"
	// ReasonChecking: the bot has not heard from Telegram yet. Wait.
	ReasonChecking = "Checking"
	// ReasonTokenRefused: Telegram does not know the bot's token. Store the token that BotFather gave in the Secret that
	// spec.telegram.tokenSecretRef names.
	ReasonTokenRefused = "TokenRefused"
	// ReasonChatNotFound: the chat does not exist, or the bot is not in it. Add the bot to the group, or correct
	// spec.telegram.chatID.
	ReasonChatNotFound = "ChatNotFound"
	// ReasonNoRights: the bot may not post in the chat, or was removed from it. Add it to the group, and let it send messages.
	ReasonNoRights = "NoRights"
	// ReasonChatMigrated: the group became a supergroup and has another id now. Set spec.telegram.chatID to the id that the
	// message has.
	ReasonChatMigrated = "ChatMigrated"
	// ReasonAnotherPoller: another program takes this bot's updates. Stop it, or give the bridge a bot of its own.
	ReasonAnotherPoller = "AnotherPoller"
	// ReasonRateLimited: Telegram asked the bot to wait. It goes on by itself; where it happens often, lower
	// spec.telegram.limits.
	ReasonRateLimited = "RateLimited"
	// ReasonUnreachable: the Bot API does not answer, or answers with server errors. Check spec.telegram.apiURL, and that the
	// cluster reaches it; an outage of Telegram passes by itself.
	ReasonUnreachable = "Unreachable"
)
