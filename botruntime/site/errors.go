// SPDX-License-Identifier: Apache-2.0

package site

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"
	"unicode"

	"github.com/gorilla/websocket"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// Error is why there is no connection to the site.
type Error struct {
	// Reason is one of the Reason constants of api/v1alpha1.
	Reason string
	// Message says what happened and what to do about it. It holds no secret.
	Message string

	err error
	// goodbye is set where the site ended the connection with a close frame that refuses nothing.
	goodbye bool
	// unaccepted is set where the site refused the token before it had accepted the connection made with it.
	unaccepted bool
	// closeCode is what the bot closes the connection with, where it is the bot that ends it.
	closeCode int
}

// Error returns the Message.
func (e *Error) Error() string { return e.Message }

// Unwrap returns the cause, if there is one that says more.
func (e *Error) Unwrap() error { return e.err }

// refused says that the site did not accept the token.
func (e *Error) refused() bool { return e.Reason == v1alpha1.ReasonCredentialsRefused }

const adviceToken = "check the token, its expiry, and the key that the site checks it with"

// The close codes by which sites refuse a token, besides websocket.ClosePolicyViolation.
const (
	closeUnauthorized = 4401
	closeForbidden    = 4403
)

// explainDial says why a dial failed. tlsErr is what ended the TLS handshake, if it got that far.
func explainDial(err, tlsErr error, response *http.Response, host string) *Error {
	e := &Error{Reason: v1alpha1.ReasonHandshakeFailed, err: err}
	var dns *net.DNSError
	switch {
	case response != nil:
		e.Reason, e.Message = explainStatus(response)
		e.unaccepted = e.refused()
	case errors.As(err, &dns):
		e.Reason, e.Message = v1alpha1.ReasonDNSFailure, fmt.Sprintf("%s does not resolve: %s", host, dns.Err)
	case isTimeout(err):
		e.Reason, e.Message = v1alpha1.ReasonTimeout, fmt.Sprintf("%s did not answer within %v", host, handshakeTimeout)
	case errors.Is(err, syscall.ECONNREFUSED):
		e.Reason, e.Message = v1alpha1.ReasonConnectionRefused, "nothing listens at "+host
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		e.Reason, e.Message = v1alpha1.ReasonConnectionRefused, "there is no route to "+host
	case tlsErr != nil:
		e.Reason, e.Message = v1alpha1.ReasonTLSFailure, explainTLS(tlsErr, host)
	default:
		e.Message = host + " ended the connection during the handshake"
	}
	return e
}

func explainStatus(response *http.Response) (reason, message string) {
	status := fmt.Sprintf("HTTP %d %s", response.StatusCode, http.StatusText(response.StatusCode))
	switch code := response.StatusCode; {
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return v1alpha1.ReasonCredentialsRefused, status + ": the site refused the token; " + adviceToken
	case code >= 300 && code < 400:
		return v1alpha1.ReasonHandshakeFailed, status + ": the site redirects; set site.url to the address it redirects to"
	case code == http.StatusNotFound:
		return v1alpha1.ReasonHandshakeFailed, status + ": the site has no WebSocket at this path; check site.url"
	case code == http.StatusSwitchingProtocols:
		return v1alpha1.ReasonHandshakeFailed, status + ", but not to a WebSocket"
	default:
		return v1alpha1.ReasonHandshakeFailed, status + " instead of a WebSocket"
	}
}

func explainTLS(err error, host string) string {
	var (
		unknown  x509.UnknownAuthorityError
		hostname x509.HostnameError
		invalid  x509.CertificateInvalidError
	)
	switch {
	case errors.As(err, &unknown):
		return "the certificate of " + host + " is signed by an unknown authority; name it in site.tls.caSecretRef"
	case errors.As(err, &hostname):
		return "the certificate of " + host + " is for another name; check site.url, or set site.tls.serverName"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the certificate of " + host + " has expired or is not valid yet"
	case isLost(err):
		return host + " ended the connection during the TLS handshake"
	default:
		return "TLS with " + host + " failed: " + printable(err.Error())
	}
}

// explainRead says why reading came to an end. patience is how long the site may be silent.
func explainRead(err error, patience time.Duration, jwt string) *Error {
	e := &Error{Reason: v1alpha1.ReasonConnectionLost, err: err}
	var closed *websocket.CloseError
	switch {
	case errors.As(err, &closed) && closed.Code != websocket.CloseAbnormalClosure:
		e.Reason, e.Message = explainClose(closed, jwt)
		e.goodbye = !e.refused()
	case isTimeout(err):
		e.Reason, e.Message = v1alpha1.ReasonTimeout, fmt.Sprintf("the site has been silent for %v, pings included", patience)
	case errors.Is(err, websocket.ErrReadLimit):
		e.Reason, e.Message = v1alpha1.ReasonConnectionClosed, "closed by the bot: the site sent a frame far over the limit"
	case closed != nil || isLost(err):
		e.Message = "the connection ended without a goodbye"
	default:
		e.Message = "the connection broke: " + printable(err.Error())
	}
	return e
}

func explainClose(closed *websocket.CloseError, jwt string) (reason, message string) {
	said := fmt.Sprintf("the site closed the connection (code %d)", closed.Code)
	if closed.Code == websocket.CloseNoStatusReceived {
		said = "the site closed the connection (no code)"
	}
	// A careless site might quote the token.
	text := closed.Text
	if jwt != "" {
		text = strings.ReplaceAll(text, jwt, "[token]")
	}
	if text = printable(text); text != "" {
		said += ": " + text
	}
	switch closed.Code {
	case closeUnauthorized, closeForbidden, websocket.ClosePolicyViolation:
		return v1alpha1.ReasonCredentialsRefused, said + "; " + adviceToken
	default:
		return v1alpha1.ReasonConnectionClosed, said
	}
}

// explainWrite says why writing came to an end.
func explainWrite(err error) *Error {
	if isTimeout(err) {
		return &Error{Reason: v1alpha1.ReasonTimeout, Message: fmt.Sprintf("the site has not read for %v", writeTimeout), err: err}
	}
	return &Error{Reason: v1alpha1.ReasonConnectionLost, Message: "the connection ended while the bot was writing", err: err}
}

// explainStore is for what ends a session though the site did nothing wrong: it may try again later.
func explainStore(err error) *Error {
	return &Error{
		Reason: v1alpha1.ReasonConnectionClosed, Message: "closed by the bot: " + printable(err.Error()),
		err: err, closeCode: websocket.CloseTryAgainLater,
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout() ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)
}

// isLost says that a connection ended without anything being said.
func isLost(err error) bool {
	for _, end := range []error{io.EOF, io.ErrUnexpectedEOF, io.ErrClosedPipe, net.ErrClosed, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, end) {
			return true
		}
	}
	return false
}

// printable keeps a text from outside fit for a log or a status: one line, at most 200 characters.
func printable(s string) string {
	const most = 200
	var out []rune
	for _, r := range s {
		if len(out) == most {
			return string(out) + "…"
		}
		if !unicode.IsPrint(r) {
			r = ' '
		}
		out = append(out, r)
	}
	return strings.TrimSpace(string(out))
}
