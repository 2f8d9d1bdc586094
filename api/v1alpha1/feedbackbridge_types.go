// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// FeedbackBridge connects one web site to one Telegram chat: the operator runs a bot that dials out to the site's
// WebSocket, brings the site's feedback to the chat as tickets, and sends the results back.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=fbb,categories=all
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Site",type=string,JSONPath=`.status.connection.state`
// +kubebuilder:printcolumn:name="Telegram",type=string,JSONPath=`.status.conditions[?(@.type=="TelegramReachable")].status`
// +kubebuilder:printcolumn:name="Pending",type=integer,JSONPath=`.status.tickets.pending`
// +kubebuilder:printcolumn:name="Token-Expires",type=string,JSONPath=`.status.credentials.jwt.expiresAt`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Reason",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 50 && self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="metadata.name must be at most 50 characters of a-z, 0-9 and '-': the bot's objects are named after it"
type FeedbackBridge struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec is what the bridge should be.
	// +required
	Spec FeedbackBridgeSpec `json:"spec,omitzero"`

	// status is what was last observed of the bridge. Until the operator first looks at it, observedGeneration is -1, so that
	// tools which wait (kstatus) know that there is more to come.
	// +kubebuilder:default={"observedGeneration":-1}
	// +optional
	Status FeedbackBridgeStatus `json:"status,omitzero"`
}

// FeedbackBridgeList is a list of bridges.
//
// +kubebuilder:object:root=true
type FeedbackBridgeList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []FeedbackBridge `json:"items"`
}

// Duration is a length of time as it was written, such as "20s", "1m30s" or "24h". Units: ms, s, m, h.
//
// +kubebuilder:validation:MaxLength=32
// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$`
type Duration string

// FeedbackBridgeSpec is what a bridge should be.
//
// +kubebuilder:validation:XValidation:rule="!has(self.runtime) || !has(self.runtime.replicas) || self.runtime.replicas < 2 || (has(self.storage) && has(self.storage.postgres))",message="runtime.replicas of more than 1 needs storage.postgres: a standby cannot go on from a volume that another pod holds"
type FeedbackBridgeSpec struct {
	// suspend stops the bot and keeps everything else; feedback waits at the site until it is false again.
	// +optional
	Suspend *bool `json:"suspend,omitempty"`

	// site is the web site whose feedback is carried.
	// +required
	Site SiteSpec `json:"site,omitzero"`

	// credentials are what the bot and the site know each other by.
	// +required
	Credentials CredentialsSpec `json:"credentials,omitzero"`

	// telegram is the chat that tickets are posted to.
	// +required
	Telegram TelegramSpec `json:"telegram,omitzero"`

	// intake is how the bot takes feedback in direct messages.
	// +optional
	Intake IntakeSpec `json:"intake,omitzero"`

	// storage is where the bot keeps tickets, results and updates that are not finished; a persistentVolumeClaim of 1Gi
	// unless given.
	// +optional
	Storage StorageSpec `json:"storage,omitzero"`

	// runtime is how the bot's pod is run.
	// +optional
	Runtime RuntimeSpec `json:"runtime,omitzero"`
}

// SecretKeyRef names one key of a Secret in the bridge's own namespace.
type SecretKeyRef struct {
	// name is the name of the Secret.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$`
	Name string `json:"name,omitempty"`

	// key is the key in the Secret's data.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[-._a-zA-Z0-9]+$`
	Key string `json:"key,omitempty"`
}

// CredentialsSpec is what the bot and the site know each other by.
type CredentialsSpec struct {
	// jwt is the token that the site checks when the bot connects.
	// +required
	JWT JWTSpec `json:"jwt,omitzero"`

	// hmac is the key that frames are signed with, in both directions.
	// +required
	HMAC HMACSpec `json:"hmac,omitzero"`

	// siteSecretName is the Secret that the operator writes for the site: the HMAC keys, their ids, and the public keys
	// of tokens as jwks.json. It outlives the bridge. "<bridge>-site" unless given, where anything is generated; where
	// nothing is, it is written only if it is named here.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$`
	SiteSecretName string `json:"siteSecretName,omitempty"`
}

// GenerateSpec asks the operator to make keys, and to rotate them.
//
// +kubebuilder:validation:XValidation:rule="!has(self.rotateEvery) || (duration(self.rotateEvery) >= duration('1m') && duration(self.rotateEvery) <= duration('87600h'))",message="rotateEvery must be between 1m and 87600h"
type GenerateSpec struct {
	// rotateEvery is how long a key is used, or up to a tenth less, so that not all bridges rotate at once; without it, keys
	// change only by the rotate-now annotation.
	// +optional
	RotateEvery Duration `json:"rotateEvery,omitempty"`
}

// JWTAlgorithm is how a minted token is signed.
//
// +kubebuilder:validation:Enum=HS256;RS256;ES256;EdDSA
type JWTAlgorithm string

// The algorithms that tokens can be signed with.
const (
	JWTAlgorithmHS256 JWTAlgorithm = "HS256"
	JWTAlgorithmRS256 JWTAlgorithm = "RS256"
	JWTAlgorithmES256 JWTAlgorithm = "ES256"
	JWTAlgorithmEdDSA JWTAlgorithm = "EdDSA"
)

// JWTSpec is the token that the bot presents to the site.
//
// +kubebuilder:validation:XValidation:rule="[has(self.signingKeySecretRef), has(self.tokenSecretRef), has(self.generate)].filter(x, x).size() == 1",message="jwt needs exactly one of signingKeySecretRef (the operator mints tokens with your key), generate (with a key of its own) and tokenSecretRef (a ready token)"
// +kubebuilder:validation:XValidation:rule="!has(self.tokenSecretRef) || !(has(self.algorithm) || has(self.issuer) || has(self.subject) || has(self.audience) || has(self.ttl) || has(self.renewBefore))",message="jwt.algorithm, issuer, subject, audience, ttl and renewBefore describe a token that the operator mints: remove them, or use signingKeySecretRef or generate"
// +kubebuilder:validation:XValidation:rule="!has(self.generate) || !has(self.algorithm) || self.algorithm != 'HS256'",message="jwt.generate makes key pairs: algorithm must be ES256, RS256 or EdDSA"
// +kubebuilder:validation:XValidation:rule="duration(has(self.renewBefore) ? self.renewBefore : (has(self.ttl) ? '0s' : '8h')) < duration(has(self.ttl) ? self.ttl : '24h')",message="jwt.renewBefore must be shorter than jwt.ttl (24h unless given)"
type JWTSpec struct {
	// signingKeySecretRef holds the key that the operator mints tokens with: the shared secret for HS256, a PEM private
	// key otherwise. It never reaches the bot's pod.
	// +optional
	SigningKeySecretRef *SecretKeyRef `json:"signingKeySecretRef,omitempty"`

	// tokenSecretRef holds a ready token. Its expiry is reported; renewing it is up to you.
	// +optional
	TokenSecretRef *SecretKeyRef `json:"tokenSecretRef,omitempty"`

	// generate has the operator make the key pair that tokens are signed with. The site finds the public keys in the
	// site's Secret, as jwks.json; the private ones stay in a Secret that no pod mounts.
	// +optional
	Generate *GenerateSpec `json:"generate,omitempty"`

	// algorithm is how minted tokens are signed; HS256 unless given, ES256 with generate.
	// +optional
	Algorithm JWTAlgorithm `json:"algorithm,omitempty"`

	// issuer is the iss claim of minted tokens; absent unless given.
	// +optional
	// +kubebuilder:validation:MaxLength=255
	Issuer string `json:"issuer,omitempty"`

	// subject is the sub claim of minted tokens; "feedback-bot" unless given.
	// +optional
	// +kubebuilder:validation:MaxLength=255
	Subject string `json:"subject,omitempty"`

	// audience is the aud claim of minted tokens; absent unless given.
	// +optional
	// +kubebuilder:validation:MaxLength=255
	Audience string `json:"audience,omitempty"`

	// ttl is how long a minted token is valid; 24h unless given.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1m') && duration(self) <= duration('8760h')",message="jwt.ttl must be between 1m and 8760h"
	TTL Duration `json:"ttl,omitempty"`

	// renewBefore is how long before its expiry a minted token is replaced; a third of ttl unless given.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('10s')",message="jwt.renewBefore must be at least 10s"
	RenewBefore Duration `json:"renewBefore,omitempty"`
}

// HMACSpec is the key that frames are signed with.
//
// +kubebuilder:validation:XValidation:rule="has(self.secretRef) != has(self.generate)",message="hmac needs exactly one of secretRef (your key) and generate (the operator makes and rotates it)"
// +kubebuilder:validation:XValidation:rule="!has(self.overlap) || duration(self.overlap) >= duration(has(self.messageTTL) ? self.messageTTL : '45s')",message="hmac.overlap must not be shorter than messageTTL: frames signed with the key before may still be on their way"
// +kubebuilder:validation:XValidation:rule="!has(self.generate) || !has(self.generate.rotateEvery) || duration(self.generate.rotateEvery) > duration(has(self.overlap) ? self.overlap : '24h')",message="hmac.generate.rotateEvery must be longer than hmac.overlap (24h unless given)"
type HMACSpec struct {
	// secretRef holds the key. A new value is accepted beside the one before it, until the site has moved over: let the
	// site load it once status.credentials.hmac.phase is Published, for then the bot has it.
	// +optional
	SecretRef *SecretKeyRef `json:"secretRef,omitempty"`

	// generate has the operator make the key; the site finds it in the site's Secret.
	// +optional
	Generate *GenerateSpec `json:"generate,omitempty"`

	// overlap is how long the key before stays accepted after the site last used it, and how long the site may take to
	// move over before the bridge's RotationOverdue says so; 24h unless given. Uses are known to half a minute: a site of
	// several processes needs a minute at least.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) <= duration('8760h')",message="hmac.overlap must be at most 8760h"
	Overlap Duration `json:"overlap,omitempty"`

	// messageTTL is how far a frame's time may be from the bot's clock, either way.
	// +optional
	// +kubebuilder:default="45s"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('5s') && duration(self) <= duration('1h')",message="messageTTL must be between 5s and 1h"
	MessageTTL Duration `json:"messageTTL,omitempty"`
}

// Language is the language of texts in Telegram.
//
// +kubebuilder:validation:Enum=ru;en
type Language string

// The languages that texts exist in.
const (
	LanguageRussian Language = "ru"
	LanguageEnglish Language = "en"
)

// TelegramSpec is the chat's end of the bridge.
//
// +kubebuilder:validation:XValidation:rule="!has(self.apiURL) || self.apiURL.startsWith('https://') || (has(self.allowInsecure) && self.allowInsecure)",message="apiURL must start with https://; for a plain http:// Bot API server, set telegram.allowInsecure: true"
type TelegramSpec struct {
	// tokenSecretRef holds the bot's token, as BotFather gave it.
	// +required
	TokenSecretRef SecretKeyRef `json:"tokenSecretRef,omitzero"`

	// chatID is the numeric id of the group or channel, such as "-1001234567890".
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="self.matches('^-?[1-9][0-9]{0,17}$')",message="chatID must be the chat's numeric id in quotes, such as \"-1001234567890\"; those of groups and channels are negative"
	ChatID string `json:"chatID,omitempty"`

	// topics is how a group with topics is used: None posts to the general topic, PerCategory makes a topic for each
	// category, PerTicket one for each ticket, closed with it. None unless given. The bot needs the right to manage topics.
	// +optional
	Topics TopicMode `json:"topics,omitempty"`

	// routes are where tickets of some categories go instead.
	// +optional
	// +listType=map
	// +listMapKey=category
	// +kubebuilder:validation:MaxItems=50
	Routes []TelegramRoute `json:"routes,omitempty"`

	// apiURL is the Bot API server.
	// +optional
	// +kubebuilder:default="https://api.telegram.org"
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="self.matches('^https?://(\\\\[[^/?#@\\\\]\\\\s]+\\\\]|[^/?#@:\\\\[\\\\]\\\\s]+)(:[0-9]{1,5})?(/[^?#\\\\s]*)?$')",message="apiURL must be the address of a Bot API server such as https://api.telegram.org, without user name, query or fragment"
	APIURL string `json:"apiURL,omitempty"`

	// allowInsecure admits an http:// apiURL. The bot's token then crosses the network in the clear.
	// +optional
	AllowInsecure *bool `json:"allowInsecure,omitempty"`

	// limits is how fast the bot may send; Telegram's own limits unless given.
	// +optional
	// +kubebuilder:default={}
	Limits TelegramLimits `json:"limits,omitzero"`

	// language is the language of posts in the chat, and of answers to people whose own is not among these.
	// +optional
	// +kubebuilder:default=ru
	Language Language `json:"language,omitempty"`

	// timeZone is the IANA time zone of dates.
	// +optional
	// +kubebuilder:default="Europe/Moscow"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	TimeZone string `json:"timeZone,omitempty"`
}

// TelegramLimits is how fast the bot may send.
type TelegramLimits struct {
	// perChat is the limit for one group.
	// +optional
	// +kubebuilder:default={messages: 20, window: "1m"}
	PerChat RateLimit `json:"perChat,omitzero"`

	// overall is the limit over all chats.
	// +optional
	// +kubebuilder:default={messages: 30, window: "1s"}
	Overall RateLimit `json:"overall,omitzero"`
}

// RateLimit is a number of messages in a window of time.
type RateLimit struct {
	// messages is how many may be sent within the window; 0 means no limit (self-hosted Bot API servers, tests).
	// +required
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100000
	Messages *int32 `json:"messages,omitempty"`

	// window is the length of the window.
	// +required
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('100ms') && duration(self) <= duration('1h')",message="window must be between 100ms and 1h"
	Window Duration `json:"window,omitempty"`
}
