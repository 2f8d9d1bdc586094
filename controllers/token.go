// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"errors"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

const (
	// maxTokenBytes bounds a ready token: servers refuse longer request lines and headers.
	maxTokenBytes = 8 << 10
	// maxKeyIDBytes bounds the kid that is copied into the status.
	maxKeyIDBytes = 128
)

// parseReadyToken reads, without verifying, what a ready token says of itself. A value that is not a JWT is an opaque
// token: it is used as it is, and nothing is known of it.
func parseReadyToken(value []byte) (v1alpha1.JWTStatus, error) {
	switch {
	case len(value) == 0:
		return v1alpha1.JWTStatus{}, errors.New("is empty")
	case len(value) > maxTokenBytes:
		return v1alpha1.JWTStatus{}, errors.New("is longer than 8 KiB, which no server accepts as a token")
	case !utf8.Valid(value) || strings.ContainsFunc(string(value), notPrintable):
		return v1alpha1.JWTStatus{}, errors.New("holds white space or control characters: store the token alone, on one line")
	}
	var claims jwt.RegisteredClaims
	token, _, err := jwt.NewParser().ParseUnverified(string(value), &claims)
	if err != nil {
		return v1alpha1.JWTStatus{}, nil
	}
	s := v1alpha1.JWTStatus{IssuedAt: date(claims.IssuedAt), ExpiresAt: date(claims.ExpiresAt)}
	if kid, ok := token.Header["kid"].(string); ok && len(kid) <= maxKeyIDBytes && !strings.ContainsFunc(kid, notPrintable) {
		s.KeyID = kid
	}
	return s, nil
}

func notPrintable(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }

// date is a claim's time; one that the API cannot express says nothing.
func date(d *jwt.NumericDate) *metav1.Time {
	if d == nil {
		return nil
	}
	return apiTime(d.Time)
}

// apiTime is a time as the API server keeps it, or nil where RFC 3339 has no way to write it.
func apiTime(t time.Time) *metav1.Time {
	t = t.UTC().Truncate(time.Second)
	if t.Year() < 1 || t.Year() > 9999 || t.IsZero() {
		return nil
	}
	return new(metav1.NewTime(t))
}

var telegramToken = regexp.MustCompile(`^[0-9]{1,20}:[A-Za-z0-9_-]{1,128}$`)

func checkTelegramToken(value []byte) error {
	if !telegramToken.Match(value) {
		return errors.New("is not a bot token: store what BotFather gave you, digits, a colon and letters, and nothing else")
	}
	return nil
}
