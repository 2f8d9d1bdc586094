// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// The files of the bot's credentials directory: values as they are, one trailing newline ignored. Only FileJWTPrevious,
// FileHMACNext, FileHMACPrevious and FileSiteCA may be missing, and FilePostgresDSN where the spec does not ask for it. The bot dials with FileJWT, and at once with
// FileJWTPrevious where the site refuses that one.
const (
	FileTelegramToken = "telegram-token"
	FileJWT           = "jwt-token"
	FileJWTPrevious   = "jwt-previous"
	FileHMACCurrent   = "hmac-current"
	FileHMACNext      = "hmac-next"
	FileHMACPrevious  = "hmac-previous"
	FileSiteCA        = "site-ca.crt"
	FilePostgresDSN   = "postgres-dsn"
)

// FileBridge is the key, in the bot's ConfigMap, of the manifest that the bot runs by.
const FileBridge = "bridge.yaml"

// The keys of the site's Secret. A site that knows one key mounts SiteHMACKey; one that can hold several signs with
// SiteHMACKey and accepts all that are there. Each HMAC key has its KeyID beside it, under its name and SiteKeyIDSuffix.
const (
	// SiteHMACKey is the key that the site should sign with: the next one once it is published, else the current one.
	SiteHMACKey = "hmac-key"
	// SiteHMACCurrent is the key that was last seen in use.
	SiteHMACCurrent = FileHMACCurrent
	// SiteHMACNext is there from the publication of a new key until the site was seen to use it.
	SiteHMACNext = FileHMACNext
	// SiteHMACPrevious is there while the bot still accepts the key before.
	SiteHMACPrevious = FileHMACPrevious
	// SiteKeyIDSuffix makes the name of a key's id out of the key's name.
	SiteKeyIDSuffix = "-id"
	// SiteJWKS is a JSON Web Key Set (RFC 7517) of the public keys that tokens may be signed with.
	SiteJWKS = "jwks.json"
)

// AnnotationRotateNow on a bridge starts a rotation of everything that the operator generates, and renews the token, once
// for each new value. While a rotation runs it is refused, unless the value begins with RotateForce.
const (
	AnnotationRotateNow = "feedbackbridge.dev/rotate-now"
	RotateForce         = "force"
)

const (
	// LabelBridge marks the operator's objects with the name of their bridge.
	LabelBridge = "feedbackbridge.dev/bridge"
	// AnnotationReport is where the bot's Lease carries its BotReport, as JSON.
	AnnotationReport = "feedbackbridge.dev/report"
)

// BotName is the name of the objects that the operator makes for a bridge's bot.
func BotName(bridge string) string { return bridge + "-bot" }

// SigningSecretName is the name of the Secret with the key pairs that the operator generates. No pod mounts it.
func SigningSecretName(bridge string) string { return bridge + "-signing" }

// SiteSecretName is the name of the Secret that the operator writes for the site; empty where it writes none.
func (b *FeedbackBridge) SiteSecretName() string {
	c := &b.Spec.Credentials
	switch {
	case c.SiteSecretName != "":
		return c.SiteSecretName
	case c.HMAC.Generate != nil || c.JWT.Generate != nil:
		return b.Name + "-site"
	default:
		return ""
	}
}

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
	// HMACKeysUsed is when the site signed with which of HMACKeyIDs. A first use is reported at once, later ones with the
	// counters.
	HMACKeysUsed []KeyUse `json:"hmacKeysUsed,omitempty"`
	// JWTKeyID is the kid of the token that the site accepted when the bot last connected; empty where it has none.
	JWTKeyID string `json:"jwtKeyID,omitempty"`
	// JWTAcceptedAt is when the site last accepted a token: that of JWTKeyID. It moves with every connection, and is reported
	// with the counters.
	JWTAcceptedAt *metav1.Time `json:"jwtAcceptedAt,omitempty"`
	// Refusing is there while the site's frames are refused: since the last one that was accepted.
	Refusing *RefusalReport `json:"refusing,omitempty"`
	// HMACKeyIDs are the ids of the keys that the bot accepts, the current one first.
	HMACKeyIDs []string `json:"hmacKeyIDs,omitempty"`
	// Telegram is the reach of the Bot API and the chat.
	Telegram PeerReport `json:"telegram"`
	// BotUsername is the bot's name, without the @.
	BotUsername string `json:"botUsername,omitempty"`
	// ChatTitle is the title of the chat.
	ChatTitle string `json:"chatTitle,omitempty"`
	// EffectiveChatID is the supergroup that the chat has become; empty where it is the chat of the spec.
	EffectiveChatID string `json:"effectiveChatID,omitempty"`
	// Storage is there while something is wrong with the store.
	Storage *StorageReport `json:"storage,omitempty"`
	// Tickets counts what the bot carried.
	Tickets TicketsStatus `json:"tickets"`
	// FramesRefused counts the site's frames that were refused, by reason (a short fixed word).
	FramesRefused map[string]int64 `json:"framesRefused,omitempty"`
}

// StorageReport is what is wrong with the bot's store.
type StorageReport struct {
	// Reason is one of the Reason constants: StorageFull and StorageUnreachable keep the bot from working, StorageCorrupt does not.
	Reason string `json:"reason"`
	// Message says what is wrong and what to do, without any secret.
	Message string `json:"message,omitempty"`
	// Since is when it began.
	Since metav1.Time `json:"since"`
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

// KeyUse is when a key was used, by the bot's clock.
type KeyUse struct {
	// ID is the key's id.
	ID string `json:"id"`
	// First is when the site first signed with it since the bot's process started.
	First metav1.Time `json:"first"`
	// Last is when it last did, in steps of the report.
	Last metav1.Time `json:"last"`
}

// RefusalReport is about frames of the site that were refused one after the other.
type RefusalReport struct {
	// Reason is why the last of them was refused: a key of FramesRefused.
	Reason string `json:"reason"`
	// Count is how many there were.
	Count int64 `json:"count"`
	// Since is when the first of them came.
	Since metav1.Time `json:"since"`
	// ClockOffsetSeconds is how far the last frame's time was ahead of the bot's clock; negative where it was behind.
	ClockOffsetSeconds int64 `json:"clockOffsetSeconds,omitempty"`
}
