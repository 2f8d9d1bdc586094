// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// advice is what a person can do about what the bot reports.
type advice struct {
	// unless are phrases that show that the bot's own message says it; "" is in every message.
	unless []string
	text   func(*v1alpha1.FeedbackBridge) string
}

// told is advice that the bot gives itself: the text is for a bot that left its message empty.
const told = ""

func say(text string, unless ...string) advice {
	return advice{unless, func(*v1alpha1.FeedbackBridge) string { return text }}
}

// peerAdvice is for every reason that the bot gives for a peer that it cannot work with, and for its store.
var peerAdvice = map[string]advice{
	v1alpha1.ReasonConnecting:         say("wait: the bot has not dialled the site yet", told),
	v1alpha1.ReasonCredentialsRefused: {nil, tokenAdvice},
	v1alpha1.ReasonDNSFailure:         say("correct the host in spec.site.url, or mend the name's DNS record"),
	v1alpha1.ReasonTLSFailure: say("renew the site's certificate, or name in spec.site.tls the authority that signed it",
		"site.url", "site.tls"),
	v1alpha1.ReasonConnectionRefused: say("start the site, correct host and port in spec.site.url, or let the cluster through the site's firewall"),
	v1alpha1.ReasonHandshakeFailed:   say("check the path in spec.site.url, and that the proxy before the site passes on the Upgrade", "site.url"),
	v1alpha1.ReasonProtocolTooOld:    say("upgrade the site, or set spec.site.protocol: Auto", "spec.site.protocol"),
	v1alpha1.ReasonTimeout:           say("see that the site runs, and that no firewall between drops its packets"),
	v1alpha1.ReasonConnectionLost:    say("the bot dials again; where it happens often, look at the site's log and the idle timeouts of proxies"),
	v1alpha1.ReasonConnectionClosed:  say("the bot dials again; where it happens often, look at the site's log"),

	v1alpha1.ReasonChecking:     say("wait: the bot has not heard from Telegram yet", told),
	v1alpha1.ReasonTokenRefused: {[]string{"spec.telegram.tokenSecretRef"}, telegramAdvice},
	v1alpha1.ReasonChatNotFound: say("add the bot to the group, or correct spec.telegram.chatID", "spec.telegram.chatID"),
	v1alpha1.ReasonNoRights:     say("add the bot to the group and let it send messages", "let it send"),
	v1alpha1.ReasonChatMigrated: say("set spec.telegram.chatID to the supergroup's id", "spec.telegram.chatID"),
	v1alpha1.ReasonAnotherPoller: say("stop the other program that takes this bot's updates, or give this bridge a bot of its own",
		"stop "),
	v1alpha1.ReasonRateLimited:        say("the bot goes on by itself; where it happens often, lower spec.telegram.limits"),
	v1alpha1.ReasonStorageCorrupt:     say("look at the file that was set aside, and move it away", "move the file away"),
	v1alpha1.ReasonStorageFull:        {nil, storageAdvice},
	v1alpha1.ReasonStorageUnreachable: {nil, databaseAdvice},

	v1alpha1.ReasonUnreachable: say("check spec.telegram.apiURL and that the cluster reaches it; an outage of Telegram passes by itself"),
}

// advised is the bot's message and, where that does not say it, what to do.
func advised(b *v1alpha1.FeedbackBridge, reason, message string) string {
	a, known := peerAdvice[reason]
	switch {
	case !known:
		return message
	case message == "":
		return a.text(b)
	case slices.ContainsFunc(a.unless, func(phrase string) bool { return strings.Contains(message, phrase) }):
		return message
	default:
		return truncate(strings.TrimSuffix(message, "."), maxMessageBytes) + "; " + a.text(b)
	}
}

// tokenAdvice says by which key the site has to check what it refused.
func tokenAdvice(b *v1alpha1.FeedbackBridge) string {
	jwt := &b.Spec.Credentials.JWT
	switch {
	case jwt.TokenSecretRef != nil:
		return fmt.Sprintf("store a token that the site accepts under the key %q of Secret %q", jwt.TokenSecretRef.Key, jwt.TokenSecretRef.Name)
	case jwt.SigningKeySecretRef == nil:
		return fmt.Sprintf("have the site check tokens with %q of Secret %q, which the operator writes for it", v1alpha1.SiteJWKS, b.SiteSecretName())
	case jwt.Algorithm == "" || jwt.Algorithm == v1alpha1.JWTAlgorithmHS256:
		return fmt.Sprintf("tokens are signed with the key %q of Secret %q: have the site check them with the same key",
			jwt.SigningKeySecretRef.Key, jwt.SigningKeySecretRef.Name)
	default:
		return fmt.Sprintf("tokens are signed (%s) with the private key %q of Secret %q: have the site check them with its public key",
			jwt.Algorithm, jwt.SigningKeySecretRef.Key, jwt.SigningKeySecretRef.Name)
	}
}

func telegramAdvice(b *v1alpha1.FeedbackBridge) string {
	ref := b.Spec.Telegram.TokenSecretRef
	return fmt.Sprintf("store the token that BotFather gave under the key %q of Secret %q", ref.Key, ref.Name)
}

// hmacAdvice says which key the site should sign with.
func hmacAdvice(b *v1alpha1.FeedbackBridge) string {
	if ref := b.Spec.Credentials.HMAC.SecretRef; ref != nil {
		return fmt.Sprintf("put the key %q of Secret %q into the site, or the site's key into that Secret", ref.Key, ref.Name)
	}
	return fmt.Sprintf("put the key %q of Secret %q into the site", v1alpha1.SiteHMACKey, b.SiteSecretName())
}

// applyAdvice says what to do about what the API server refused; empty where its own words do.
func applyAdvice(err error) string {
	switch {
	case anyError(err, isQuota):
		return "raise the namespace's ResourceQuota, or ask for less in spec.storage and spec.runtime"
	case anyError(err, isOwnership):
		return "somebody took the bridge's ownerReference from this object: delete it, and the operator makes it again"
	case anyError(err, apierrors.IsForbidden):
		return "give the operator's role this right, or change the policy that forbids it"
	case anyError(err, apierrors.IsInvalid), anyError(err, apierrors.IsBadRequest):
		return "correct the part of the spec that becomes this field"
	default:
		return ""
	}
}

// isQuota tells a quota's refusal from others: the API server says Forbidden to both, and the words are all there is.
func isQuota(err error) bool {
	return apierrors.IsForbidden(err) && strings.Contains(err.Error(), quotaWords)
}

// isOwnership tells the refusal of an ownerReference, by OwnerReferencesPermissionEnforcement, from others in the same way.
func isOwnership(err error) bool {
	return apierrors.IsForbidden(err) && strings.Contains(err.Error(), ownershipWords)
}

// ownershipWords are the admission plug-in's own.
const ownershipWords = "cannot set an ownerRef" //nolint:gosec // words, not a credential

// quotaWords are the API server's own.
const quotaWords = "exceeded quota"

// upperFirst makes an advice the beginning of a sentence.
func upperFirst(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
