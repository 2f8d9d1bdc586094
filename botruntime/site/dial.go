// SPDX-License-Identifier: Apache-2.0

package site

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"time"

	"github.com/gorilla/websocket"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
)

const (
	// handshakeTimeout is how long a dial may take in all: name, connection, TLS and HTTP.
	handshakeTimeout = 10 * time.Second
	readBufferSize   = 16 << 10
)

// link is an open WebSocket.
type link struct {
	ws   *websocket.Conn
	cork *corkedConn
	// jwt is the token that it was opened with.
	jwt string
	// version is the version of the protocol that it speaks.
	version int
}

// protocol names the version.
func (l *link) protocol() string { return "v" + strconv.Itoa(l.version) }

// dial opens the WebSocket with the JWT of credentials. The error is an *Error, or of parent.
func dial(parent context.Context, cfg *Config, credentials Credentials) (*link, error) {
	target, header, err := handshake(cfg, credentials.JWT)
	if err != nil {
		return nil, err
	}
	tlsConfig, err := tlsConfig(cfg.ServerName, credentials.CA)
	if err != nil {
		return nil, err
	}
	l := &link{jwt: credentials.JWT, version: 1}
	dialer := websocket.Dialer{
		Proxy:            http.ProxyFromEnvironment,
		HandshakeTimeout: handshakeTimeout,
		TLSClientConfig:  tlsConfig,
		ReadBufferSize:   readBufferSize,
		// Under TLS, where there is TLS.
		NetDialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := cfg.dialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			l.cork = newCorkedConn(conn)
			return l.cork, nil
		},
	}
	if cfg.Protocol != v1alpha1.SiteProtocolV1 {
		dialer.Subprotocols = []string{wire.Subprotocol}
	}
	var tlsErr error
	ctx := httptrace.WithClientTrace(parent, &httptrace.ClientTrace{
		TLSHandshakeDone: func(_ tls.ConnectionState, err error) { tlsErr = err },
	})
	var response *http.Response
	if l.ws, response, err = dialer.DialContext(ctx, target.String(), header); err != nil {
		if parent.Err() != nil {
			return nil, parent.Err()
		}
		return nil, explainDial(err, tlsErr, response, target.Host)
	}
	if len(dialer.Subprotocols) > 0 && l.ws.Subprotocol() == wire.Subprotocol {
		l.version = 2
	}
	if l.version < 2 && cfg.Protocol == v1alpha1.SiteProtocolV2 {
		_ = l.ws.Close()
		return nil, &Error{Reason: v1alpha1.ReasonProtocolTooOld, Message: target.Host +
			" speaks version 1 of the protocol only, and spec.site.protocol demands version 2: upgrade the site, or set spec.site.protocol: Auto"}
	}
	return l, nil
}

// handshake is what a dial asks for. The token stands in one of the two: neither may be logged.
func handshake(cfg *Config, jwt string) (*url.URL, http.Header, error) {
	target, err := url.Parse(cfg.URL)
	if err != nil { // err would quote the URL
		return nil, nil, errors.New("site.url is not a URL")
	}
	origin := url.URL{Scheme: "https", Host: target.Host}
	switch target.Scheme {
	case "wss":
	case "ws":
		origin.Scheme = "http"
	default:
		return nil, nil, fmt.Errorf("site.url begins with %q, not with wss:// or ws://", target.Scheme)
	}
	if target.Host == "" || target.User != nil {
		return nil, nil, errors.New("site.url must name a host, and no user")
	}
	header := http.Header{"Origin": {origin.String()}}
	if cfg.UserAgent != "" {
		header.Set("User-Agent", cfg.UserAgent)
	}
	if cfg.TokenIn == v1alpha1.TokenInHeader {
		header.Set("Authorization", "Bearer "+jwt)
		return target, header, nil
	}
	if target.RawQuery != "" {
		target.RawQuery += "&"
	}
	target.RawQuery += "token=" + url.QueryEscape(jwt)
	return target, header, nil
}

// tlsConfig trusts the certificates of ca instead of the system's, if there are any.
func tlsConfig(serverName string, ca []byte) (*tls.Config, error) {
	cfg := &tls.Config{ServerName: serverName, MinVersion: tls.VersionTLS12}
	if len(ca) == 0 {
		return cfg, nil
	}
	cfg.RootCAs = x509.NewCertPool()
	if !cfg.RootCAs.AppendCertsFromPEM(ca) {
		return nil, &Error{Reason: v1alpha1.ReasonTLSFailure, Message: "site.tls.caSecretRef holds no PEM certificate"}
	}
	return cfg, nil
}
