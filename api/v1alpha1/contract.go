// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// The files of the bot's credentials directory: values as they are, one trailing newline ignored. Only FileHMACNext,
// FileHMACPrevious and FileSiteCA may be missing.
const (
	FileTelegramToken = "telegram-token"
	FileJWT           = "jwt-token"
	FileHMACCurrent   = "hmac-current"
	FileHMACNext      = "hmac-next"
	FileHMACPrevious  = "hmac-previous"
	FileSiteCA        = "site-ca.crt"
)

// FileBridge is the key, in the bot's ConfigMap, of the manifest that the bot runs by.
const FileBridge = "bridge.yaml"

const (
	// LabelBridge marks the operator's objects with the name of their bridge.
	LabelBridge = "feedbackbridge.dev/bridge"
	// AnnotationReport is where the bot's Lease carries its BotReport, as JSON.
	AnnotationReport = "feedbackbridge.dev/report"
)

// BotName is the name of every object that the operator makes for a bridge.
func BotName(bridge string) string { return bridge + "-bot" }

// BotReport is what the bot says of itself, in the AnnotationReport of its Lease. The Lease's renewTime is the
// heartbeat; the report changes when a state does, and at most every 30 s for counters.
type BotReport struct {
	// Version is the bot's version.
	Version string `json:"version,omitempty"`
	// StartedAt is when the bot's process started.
	StartedAt metav1.Time `json:"startedAt"`
	// Site is the connection to the site.
	Site PeerReport `json:"site"`
	// Reconnects counts the connections to the site made again since StartedAt.
	Reconnects int64 `json:"reconnects"`
	// SiteKeyID is the id of the HMAC key that the site last signed with.
	SiteKeyID string `json:"siteKeyID,omitempty"`
	// HMACKeyIDs are the ids of the keys that the bot accepts, the current one first.
	HMACKeyIDs []string `json:"hmacKeyIDs,omitempty"`
	// Telegram is the reach of the Bot API and the chat.
	Telegram PeerReport `json:"telegram"`
	// BotUsername is the bot's name, without the @.
	BotUsername string `json:"botUsername,omitempty"`
	// ChatTitle is the title of the chat.
	ChatTitle string `json:"chatTitle,omitempty"`
	// Tickets counts what the bot carried.
	Tickets TicketsStatus `json:"tickets"`
	// FramesRefused counts the site's frames that were refused, by reason (a short fixed word).
	FramesRefused map[string]int64 `json:"framesRefused,omitempty"`
}

// PeerReport is how the bot stands with one of its peers.
type PeerReport struct {
	// OK is whether the peer can be worked with now.
	OK bool `json:"ok"`
	// Reason is one of the Reason constants.
	Reason string `json:"reason"`
	// Message says what is wrong and what to do, without any secret.
	Message string `json:"message,omitempty"`
	// Since is when OK last changed.
	Since metav1.Time `json:"since"`
	// LastError is the Message of the last time that OK was false.
	LastError string `json:"lastError,omitempty"`
}
