// SPDX-License-Identifier: Apache-2.0

package site

import (
	"context"
	"encoding/pem"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
	simsite "github.com/feedbackbridge/feedbackbridge/hack/sim/site"
)

func TestHandshake(t *testing.T) {
	for _, test := range []struct {
		name, url               string
		in                      v1alpha1.TokenPlacement
		wantURL, origin, bearer string
		fails                   bool
	}{
		{name: "query", url: "wss://shop.example/ws/bot", wantURL: "wss://shop.example/ws/bot?token=a%2Bb%26c",
			origin: "https://shop.example"},
		{name: "query that is there is kept", url: "wss://shop.example:8443/ws/bot?b=2&a=1&a=%20",
			wantURL: "wss://shop.example:8443/ws/bot?b=2&a=1&a=%20&token=a%2Bb%26c", origin: "https://shop.example:8443"},
		{name: "header", url: "wss://shop.example/ws?x=1", in: v1alpha1.TokenInHeader, wantURL: "wss://shop.example/ws?x=1",
			origin: "https://shop.example", bearer: "Bearer a+b&c"},
		{name: "plain", url: "ws://127.0.0.1:8082/ws", in: v1alpha1.TokenInQuery,
			wantURL: "ws://127.0.0.1:8082/ws?token=a%2Bb%26c", origin: "http://127.0.0.1:8082"},
		{name: "not a WebSocket", url: "https://shop.example/", fails: true},
		{name: "no host", url: "wss:///ws", fails: true},
		{name: "a user", url: "wss://user:word@shop.example/ws", fails: true},
		{name: "no URL", url: "wss://shop.example/%zz", fails: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			target, header, err := handshake(&Config{URL: test.url, TokenIn: test.in, UserAgent: "bot/1"}, "a+b&c")
			if test.fails {
				if err == nil || strings.Contains(err.Error(), "word") || strings.Contains(err.Error(), "a+b") {
					t.Errorf("error %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if target.String() != test.wantURL {
				t.Errorf("URL %s, want %s", target, test.wantURL)
			}
			for name, want := range map[string]string{"Origin": test.origin, "Authorization": test.bearer, "User-Agent": "bot/1"} {
				if got := header.Get(name); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
			if protocols := header.Values("Sec-WebSocket-Protocol"); len(protocols) > 0 {
				t.Errorf("offers %v", protocols)
			}
		})
	}
}

func TestDialFailuresOfTheNetwork(t *testing.T) {
	refused := &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	for _, test := range []struct {
		name    string
		err     error
		reason  string
		message string
	}{
		{"name", &net.DNSError{Err: "no such host", Name: "shop.test", IsNotFound: true}, v1alpha1.ReasonDNSFailure,
			"shop.test does not resolve: no such host"},
		{"name server that does not answer", &net.DNSError{Err: "i/o timeout", IsTimeout: true}, v1alpha1.ReasonDNSFailure,
			"shop.test does not resolve: i/o timeout"},
		{"refused", refused, v1alpha1.ReasonConnectionRefused, "nothing listens at shop.test"},
		{"no route", &net.OpError{Op: "dial", Err: syscall.EHOSTUNREACH}, v1alpha1.ReasonConnectionRefused, "there is no route to shop.test"},
		{"timeout", &net.OpError{Op: "dial", Err: syscall.ETIMEDOUT}, v1alpha1.ReasonTimeout, "shop.test did not answer within 10s"},
		{"other", errors.New("wss://shop.test/?token=" + testJWT), v1alpha1.ReasonHandshakeFailed,
			"shop.test ended the connection during the handshake"},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := dialConfig(t, "ws://shop.test/ws")
			cfg.DialContext = func(context.Context, string, string) (net.Conn, error) { return nil, test.err }
			_, err := dial(t.Context(), &cfg, cfg.Credentials())
			var why *Error
			if !errors.As(err, &why) || why.Reason != test.reason || why.Message != test.message {
				t.Errorf("%+v, want %s: %s", why, test.reason, test.message)
			}
		})
	}
}

func dialConfig(t *testing.T, address string) Config {
	key := testKey(t, "first")
	return Config{URL: address, PingInterval: interval, MessageTTL: time.Minute,
		Credentials: func() Credentials { return Credentials{JWT: testJWT, Keys: wire.NewKeyRing(key)} }}
}

// tlsSite is the simulated site behind TLS on the loopback, whose certificate is for example.com and 127.0.0.1.
func tlsSite(t *testing.T) (site *simsite.Server, address string, ca []byte) {
	site = simsite.New(simsite.Config{Accept: simsite.AcceptToken(testJWT), Key: testKey(t, "first")})
	server := httptest.NewUnstartedServer(site)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	server.StartTLS()
	t.Cleanup(func() { site.Close(); server.Close() })
	ca = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	return site, "wss" + strings.TrimPrefix(server.URL, "https") + simsite.DefaultPath, ca
}

func TestTLS(t *testing.T) {
	_, address, ca := tlsSite(t)
	for _, test := range []struct {
		name, serverName string
		ca               []byte
		message          string // of the failure; "" for none
	}{
		{"own authority", "", ca, ""},
		{"own authority and another name", "example.com", ca, ""},
		{"unknown authority", "", nil, "signed by an unknown authority"},
		{"wrong name", "shop.test", ca, "is for another name"},
		{"no certificate", "", []byte("-----BEGIN"), "holds no PEM certificate"},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := dialConfig(t, address)
			cfg.ServerName = test.serverName
			credentials := cfg.Credentials()
			credentials.CA = test.ca
			cfg.Credentials = func() Credentials { return credentials }
			l, err := dial(t.Context(), &cfg, cfg.Credentials())
			if test.message == "" {
				if err != nil {
					t.Fatal(err)
				}
				if err := l.ws.Close(); err != nil {
					t.Error(err)
				}
				return
			}
			var why *Error
			if !errors.As(err, &why) || why.Reason != v1alpha1.ReasonTLSFailure || !strings.Contains(why.Message, test.message) {
				t.Errorf("%+v, want %q", why, test.message)
			}
		})
	}
}

func TestTLSToAPortWithoutIt(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	cfg := dialConfig(t, "wss"+strings.TrimPrefix(server.URL, "http"))
	_, err := dial(t.Context(), &cfg, cfg.Credentials())
	if why := asError(err); why.Reason != v1alpha1.ReasonTLSFailure {
		t.Errorf("%+v", why)
	}
}

func TestCheck(t *testing.T) {
	for _, test := range []struct {
		name    string
		faults  simsite.Faults
		token   string
		before  string // the previous token
		passed  []string
		reason  string
		message string
	}{
		{name: "fine", passed: []string{"connected to 127.0.0.1", "the certificate is accepted, until", "opened a WebSocket", "answers pings"}},
		{name: "token", token: "other", passed: []string{"connected to", "the certificate is accepted"},
			reason: v1alpha1.ReasonCredentialsRefused, message: "HTTP 403 Forbidden: the site refused the token"},
		{name: "token of a key that the site does not know yet", token: "other", before: testJWT,
			passed: []string{"connected to", "the certificate is accepted", "the previous one is tried, as the bot does: HTTP 403",
				"connected to", "the certificate is accepted", "opened a WebSocket", "answers pings"}},
		{name: "both tokens", token: "other", before: "another",
			passed: []string{"connected to", "the certificate is accepted", "the previous one is tried", "connected to", "the certificate is accepted"},
			reason: v1alpha1.ReasonCredentialsRefused, message: "HTTP 403 Forbidden: the site refused the token"},
		{name: "token after the handshake", faults: simsite.Faults{CloseAtOnce: &simsite.Closing{Code: 4401, Text: "expired " + testJWT}},
			passed: []string{"connected to", "the certificate is accepted", "opened a WebSocket"},
			reason: v1alpha1.ReasonCredentialsRefused, message: "(code 4401): expired [token]; check the token"},
		{name: "server error", faults: simsite.Faults{Refuse: &simsite.Refusal{Status: 503}},
			passed: []string{"connected to", "the certificate is accepted"},
			reason: v1alpha1.ReasonHandshakeFailed, message: "HTTP 503 Service Unavailable"},
	} {
		t.Run(test.name, func(t *testing.T) {
			site, address, ca := tlsSite(t)
			site.SetFaults(test.faults)
			cfg := dialConfig(t, address)
			credentials := cfg.Credentials()
			credentials.CA, credentials.JWTPrevious = ca, test.before
			if test.token != "" {
				credentials.JWT = test.token
			}
			cfg.Credentials = func() Credentials { return credentials }
			passed, err := Check(t.Context(), cfg)
			if len(passed) != len(test.passed) {
				t.Fatalf("passed %q, want %q", passed, test.passed)
			}
			for i, want := range test.passed {
				if !strings.Contains(passed[i], want) {
					t.Errorf("step %d: %q, want %q", i, passed[i], want)
				}
			}
			var why *Error
			switch {
			case test.reason == "":
				if err != nil {
					t.Error(err)
				}
			case !errors.As(err, &why) || why.Reason != test.reason || !strings.Contains(why.Message, test.message):
				t.Errorf("%+v, want %s: %s", why, test.reason, test.message)
			}
		})
	}
}

func TestReadFailures(t *testing.T) {
	for _, test := range []struct {
		err             error
		reason, message string
	}{
		{&websocket.CloseError{Code: websocket.CloseAbnormalClosure, Text: "unexpected EOF"}, v1alpha1.ReasonConnectionLost, "without a goodbye"},
		{&websocket.CloseError{Code: websocket.CloseNoStatusReceived}, v1alpha1.ReasonConnectionClosed, "(no code)"},
		{&websocket.CloseError{Code: 1012, Text: "restart\n\x1b[31m"}, v1alpha1.ReasonConnectionClosed, "(code 1012): restart  [31m"},
		{&net.OpError{Op: "read", Err: syscall.ECONNRESET}, v1alpha1.ReasonConnectionLost, "without a goodbye"},
		{&net.OpError{Op: "read", Err: context.DeadlineExceeded}, v1alpha1.ReasonTimeout, "silent for 50s"},
		{errors.New("websocket: bad opcode 5"), v1alpha1.ReasonConnectionLost, "bad opcode"},
	} {
		if got := explainRead(test.err, 50*time.Second, testJWT); got.Reason != test.reason || !strings.Contains(got.Message, test.message) {
			t.Errorf("%v: %+v, want %s: %s", test.err, got, test.reason, test.message)
		}
	}
}
