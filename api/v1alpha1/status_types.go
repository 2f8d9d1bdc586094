// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// FeedbackBridgeStatus is what was last observed of a bridge.
type FeedbackBridgeStatus struct {
	// observedGeneration is the generation of the spec that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions are Ready, Reconciling, Stalled, WorkloadAvailable, SiteConnected, TelegramReachable, CredentialsReady
	// and, only while they are True, RotationOverdue and StorageTrouble.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// connection is the WebSocket to the site.
	// +optional
	Connection *ConnectionStatus `json:"connection,omitempty"`

	// credentials are the token and the keys in use; ids only, never a secret.
	// +optional
	Credentials *CredentialsStatus `json:"credentials,omitempty"`

	// telegram is the bot and the chat as Telegram names them.
	// +optional
	Telegram *TelegramStatus `json:"telegram,omitempty"`

	// tickets counts what the bot carried; the counters are the store's, and survive restarts.
	// +optional
	Tickets *TicketsStatus `json:"tickets,omitempty"`
}

// ConnectionState says where the connection to the site stands.
type ConnectionState string

// The states of the connection to the site.
const (
	ConnectionConnected    ConnectionState = "Connected"
	ConnectionConnecting   ConnectionState = "Connecting"
	ConnectionDisconnected ConnectionState = "Disconnected"
	ConnectionRefused      ConnectionState = "Refused"
	ConnectionSuspended    ConnectionState = "Suspended"
	ConnectionUnknown      ConnectionState = "Unknown"
)

// ConnectionStatus is the WebSocket to the site.
type ConnectionStatus struct {
	// state is Connected, Connecting, Disconnected, Refused (the site does not accept the credentials), Suspended, or
	// Unknown (the bot has not reported for too long).
	// +optional
	State ConnectionState `json:"state,omitempty"`

	// since is when the state was entered.
	// +optional
	Since *metav1.Time `json:"since,omitempty"`

	// pod is the pod of the active bot.
	// +optional
	Pod string `json:"pod,omitempty"`

	// reconnects counts the connections that were made again since the bot started.
	// +optional
	Reconnects int64 `json:"reconnects,omitempty"`

	// lastError is why the connection was last lost or refused.
	// +optional
	LastError string `json:"lastError,omitempty"`
}

// CredentialsStatus is what the bot and the site know each other by.
type CredentialsStatus struct {
	// jwt is the token in use.
	// +optional
	JWT *JWTStatus `json:"jwt,omitempty"`

	// hmac is the keys in use, and the rotation from one to the next.
	// +optional
	HMAC *HMACStatus `json:"hmac,omitempty"`

	// handledRotateNow is the value of the rotate-now annotation that was last acted on.
	// +optional
	HandledRotateNow string `json:"handledRotateNow,omitempty"`
}

// RotationPhase says where the rotation of a key stands.
type RotationPhase string

// The phases of a rotation, in their order.
const (
	// RotationStable: one key is in use.
	RotationStable RotationPhase = "Stable"
	// RotationStaged: a next key exists, and is not given to the site before the bot accepts it (HMAC) or before its public
	// part is in the site's Secret (JWT).
	RotationStaged RotationPhase = "Staged"
	// RotationPublished: the next key may be used; it has not been seen in use yet.
	RotationPublished RotationPhase = "Published"
	// RotationAdopted: the next key is the current one; the one before is still accepted.
	RotationAdopted RotationPhase = "Adopted"
)

// RotationStatus is where the rotation of a key stands: ids and times, never a key.
type RotationStatus struct {
	// phase is Stable, Staged (a next key is being made known), Published (the next key may be used), or Adopted (it is
	// used, and the one before still accepted).
	// +optional
	Phase RotationPhase `json:"phase,omitempty"`

	// currentKeyID is the id of the key in use.
	// +optional
	CurrentKeyID string `json:"currentKeyID,omitempty"`

	// nextKeyID is the id of the key that is to follow, while a rotation runs.
	// +optional
	NextKeyID string `json:"nextKeyID,omitempty"`

	// previousKeyID is the id of the key before, while it is still accepted.
	// +optional
	PreviousKeyID string `json:"previousKeyID,omitempty"`

	// siteKeyID is the id of the key that the site was last seen to use.
	// +optional
	SiteKeyID string `json:"siteKeyID,omitempty"`

	// stagedAt is when the next key was made or first seen.
	// +optional
	StagedAt *metav1.Time `json:"stagedAt,omitempty"`

	// publishedAt is when the next key was given to the site.
	// +optional
	PublishedAt *metav1.Time `json:"publishedAt,omitempty"`

	// rotatedAt is when the current key came into use, where it replaced another.
	// +optional
	RotatedAt *metav1.Time `json:"rotatedAt,omitempty"`

	// retireAt is when the key before is dropped; later where the site is seen to use it.
	// +optional
	RetireAt *metav1.Time `json:"retireAt,omitempty"`

	// nextRotation is when the operator makes the next key by itself.
	// +optional
	NextRotation *metav1.Time `json:"nextRotation,omitempty"`
}

// JWTStatus is the token that the bot presents, and the rotation of the key that it is signed with.
type JWTStatus struct {
	// issuedAt is when the token was made.
	// +optional
	IssuedAt *metav1.Time `json:"issuedAt,omitempty"`

	// expiresAt is the token's exp claim; absent where the token does not expire.
	// +optional
	ExpiresAt *metav1.Time `json:"expiresAt,omitempty"`

	// keyID is the kid header of the token.
	// +optional
	KeyID string `json:"keyID,omitempty"`

	// rotation is the rotation of the key pair that the operator makes (jwt.generate).
	// +optional
	Rotation *RotationStatus `json:"rotation,omitempty"`
}

// HMACStatus is the keys that frames are signed with, by their ids.
type HMACStatus struct {
	RotationStatus `json:",inline"`
}

// TelegramStatus is the bot and the chat as Telegram names them.
type TelegramStatus struct {
	// botUsername is the bot's name, without the @.
	// +optional
	BotUsername string `json:"botUsername,omitempty"`

	// chatTitle is the title of the chat.
	// +optional
	ChatTitle string `json:"chatTitle,omitempty"`

	// effectiveChatID is the supergroup that the group of spec.telegram.chatID has become, and that posts go to; absent where
	// that is the chat itself.
	// +optional
	EffectiveChatID string `json:"effectiveChatID,omitempty"`

	// lastError is why Telegram was last out of reach or refused something.
	// +optional
	LastError string `json:"lastError,omitempty"`
}

// TicketsStatus counts what the bot carried.
type TicketsStatus struct {
	// received counts the tickets that the bot made durable.
	// +optional
	Received int64 `json:"received,omitempty"`

	// posted counts the tickets that Telegram accepted.
	// +optional
	Posted int64 `json:"posted,omitempty"`

	// pending counts the tickets that wait to be posted.
	// +optional
	Pending int64 `json:"pending"`

	// failed counts the tickets that Telegram refused for good.
	// +optional
	Failed int64 `json:"failed,omitempty"`

	// lastPostedTime is when Telegram last accepted a ticket.
	// +optional
	LastPostedTime *metav1.Time `json:"lastPostedTime,omitempty"`
}
