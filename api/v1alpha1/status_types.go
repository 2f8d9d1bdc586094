// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// FeedbackBridgeStatus is what was last observed of a bridge.
type FeedbackBridgeStatus struct {
	// observedGeneration is the generation of the spec that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions are Ready, Reconciling, Stalled, WorkloadAvailable, SiteConnected, TelegramReachable, CredentialsReady.
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

	// hmac is the keys in use.
	// +optional
	HMAC *HMACStatus `json:"hmac,omitempty"`
}

// JWTStatus is the token that the bot presents.
type JWTStatus struct {
	// issuedAt is the token's iat claim.
	// +optional
	IssuedAt *metav1.Time `json:"issuedAt,omitempty"`

	// expiresAt is the token's exp claim; absent where the token does not expire.
	// +optional
	ExpiresAt *metav1.Time `json:"expiresAt,omitempty"`

	// keyID is the kid header of the token.
	// +optional
	KeyID string `json:"keyID,omitempty"`
}

// HMACStatus is the keys that frames are signed with, by their ids.
type HMACStatus struct {
	// currentKeyID is the id of the key in the bridge's Secret.
	// +optional
	CurrentKeyID string `json:"currentKeyID,omitempty"`

	// previousKeyID is the id of the key before it, while it is still accepted.
	// +optional
	PreviousKeyID string `json:"previousKeyID,omitempty"`

	// siteKeyID is the id of the key that the site last signed with.
	// +optional
	SiteKeyID string `json:"siteKeyID,omitempty"`

	// rotatedAt is when the current key was first seen, where it replaced another.
	// +optional
	RotatedAt *metav1.Time `json:"rotatedAt,omitempty"`
}

// TelegramStatus is the bot and the chat as Telegram names them.
type TelegramStatus struct {
	// botUsername is the bot's name, without the @.
	// +optional
	BotUsername string `json:"botUsername,omitempty"`

	// chatTitle is the title of the chat.
	// +optional
	ChatTitle string `json:"chatTitle,omitempty"`

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
