// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// TokenPlacement is where the JWT stands in the handshake.
//
// +kubebuilder:validation:Enum=Query;Header
type TokenPlacement string

const (
	// TokenInQuery sends the JWT as ?token=.
	TokenInQuery TokenPlacement = "Query"
	// TokenInHeader sends the JWT as Authorization: Bearer.
	TokenInHeader TokenPlacement = "Header"
)

// SiteProtocol is which versions of the protocol the bot speaks with the site.
//
// +kubebuilder:validation:Enum=Auto;V1;V2
type SiteProtocol string

const (
	// SiteProtocolAuto offers version 2, and speaks version 1 with a site that does not select it.
	SiteProtocolAuto SiteProtocol = "Auto"
	// SiteProtocolV1 speaks version 1 and offers no other.
	SiteProtocolV1 SiteProtocol = "V1"
	// SiteProtocolV2 speaks version 2, and with no site that does not select it.
	SiteProtocolV2 SiteProtocol = "V2"
)

// SiteSpec is the web site's end of the bridge.
//
// +kubebuilder:validation:XValidation:rule="self.url.startsWith('wss://') || (has(self.allowInsecure) && self.allowInsecure)",message="url must start with wss://; for a plain ws:// address in a test, set site.allowInsecure: true"
type SiteSpec struct {
	// url is the site's WebSocket, such as wss://shop.example/ws/feedback-bot. The token is not part of it.
	// +required
	// +kubebuilder:validation:MinLength=6
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="self.matches('^wss?://(\\\\[[^/?#@\\\\]\\\\s]+\\\\]|[^/?#@:\\\\[\\\\]\\\\s]+)(:[0-9]{1,5})?([/?][^#\\\\s]*)?$')",message="url must be a WebSocket address such as wss://shop.example/ws/feedback-bot, without user name or fragment"
	// +kubebuilder:validation:XValidation:rule="!self.matches('[?&]token=')",message="url must not carry the token: put the token into a Secret and name it in credentials.jwt"
	URL string `json:"url,omitempty"`

	// allowInsecure admits a ws:// url. The token and the feedback then cross the network in the clear.
	// +optional
	AllowInsecure *bool `json:"allowInsecure,omitempty"`

	// adminURL is the page where the site's staff sees feedback; posts link to it.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="self.matches('^https?://[^\\\\s]+$')",message="adminURL must be an http:// or https:// address"
	AdminURL string `json:"adminURL,omitempty"`

	// protocol is which versions of the protocol are spoken: Auto offers version 2 by Sec-WebSocket-Protocol, and a site that
	// does not select it speaks version 1; V1 offers nothing; V2 refuses a site that does not select it, so that nobody between
	// the two can talk them down. Auto unless given.
	// +optional
	Protocol SiteProtocol `json:"protocol,omitempty"`

	// tokenIn is where the JWT goes: Query (?token=) or Header (Authorization: Bearer).
	// +optional
	// +kubebuilder:default=Query
	TokenIn TokenPlacement `json:"tokenIn,omitempty"`

	// tls changes how the site's certificate is checked.
	// +optional
	TLS *SiteTLS `json:"tls,omitempty"`

	// pingInterval is how often the connection is probed; a dead one is found within 2.5 intervals.
	// +optional
	// +kubebuilder:default="20s"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('5m')",message="pingInterval must be between 1s and 5m"
	PingInterval Duration `json:"pingInterval,omitempty"`
}

// SiteTLS changes how the site's certificate is checked.
//
// +kubebuilder:validation:MinProperties=1
type SiteTLS struct {
	// caSecretRef holds PEM certificates to trust instead of the system's.
	// +optional
	CASecretRef *SecretKeyRef `json:"caSecretRef,omitempty"`

	// serverName is the name that the certificate must carry, where it is not the url's host.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	ServerName string `json:"serverName,omitempty"`
}
