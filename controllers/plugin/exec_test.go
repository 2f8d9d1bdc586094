// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/remotecommand"
	"k8s.io/client-go/rest"
)

// message is a WebSocket message of a stream.
func message(stream byte, text string) []byte { return append([]byte{stream}, text...) }

func ended(t *testing.T, status metav1.Status) []byte {
	t.Helper()
	text, err := json.Marshal(status)
	if err != nil {
		t.Fatal(err)
	}
	return message(remotecommand.StreamErr, string(text))
}

// execServer answers exec as an API server does: with the messages given, one after the other, and the end.
func execServer(t *testing.T, serve func(*websocket.Conn, *http.Request)) *webSocketExecutor {
	t.Helper()
	upgrader := websocket.Upgrader{Subprotocols: []string{remotecommand.StreamProtocolV5Name}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		serve(conn, r)
	}))
	t.Cleanup(server.Close)
	return &webSocketExecutor{config: &rest.Config{Host: server.URL, BearerToken: "a-token"}}
}

var execPod = &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "support", Name: "shop-bot-1"}}

func TestACommandsEnd(t *testing.T) {
	success := ended(t, metav1.Status{Status: metav1.StatusSuccess})
	code2 := ended(t, metav1.Status{Status: metav1.StatusFailure, Reason: remotecommand.NonZeroExitCodeReason, Details: &metav1.StatusDetails{
		Causes: []metav1.StatusCause{{Type: remotecommand.ExitCodeCauseType, Message: "2"}}}})
	noProgram := ended(t, metav1.Status{Status: metav1.StatusFailure, Message: "no such file"})
	out := func(s string) []byte { return message(remotecommand.StreamStdOut, s) }
	for name, c := range map[string]struct {
		messages [][]byte
		want     execution
		err      string
	}{
		"success":                      {messages: [][]byte{out(""), out("hel"), out("lo"), message(remotecommand.StreamStdErr, "x"), success}, want: execution{[]byte("hello"), []byte("x"), 0}},
		"output after the end":         {messages: [][]byte{out("hel"), success, out("lo")}, want: execution{stdout: []byte("hello")}},
		"an end in two pieces":         {messages: [][]byte{code2[:9], message(remotecommand.StreamErr, string(code2[9:]))}, want: execution{code: 2}},
		"another exit code":            {messages: [][]byte{out("no"), code2}, want: execution{stdout: []byte("no"), code: 2}},
		"no such program":              {messages: [][]byte{noProgram}, err: "no such file"},
		"nothing at all":               {err: "broke off"},
		"broken off":                   {messages: [][]byte{out("hel")}, err: "broke off"},
		"an end that is no status":     {messages: [][]byte{message(remotecommand.StreamErr, "gone")}, err: "how the command ended"},
		"more than anyone should read": {messages: slices.Repeat([][]byte{out(strings.Repeat("x", 1<<20))}, 9), err: "more than 8 MiB"},
		"streams that nobody knows":    {messages: [][]byte{{}, {9, 1}, message(remotecommand.StreamClose, "\x01"), success}},
	} {
		t.Run(name, func(t *testing.T) {
			e := execServer(t, func(conn *websocket.Conn, _ *http.Request) {
				for _, m := range c.messages {
					if err := conn.WriteMessage(websocket.BinaryMessage, m); err != nil {
						return // the client has read enough
					}
				}
			})
			got, err := e.run(t.Context(), execPod, "bot", []string{"/bot", "tickets"}, "")
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Fatalf("error %v, want %q", err, c.err)
			}
			if !bytes.Equal(got.stdout, c.want.stdout) || !bytes.Equal(got.stderr, c.want.stderr) || got.code != c.want.code {
				t.Errorf("got %q %q %d", got.stdout, got.stderr, got.code)
			}
		})
	}
}

func TestACommandsRequest(t *testing.T) {
	type asked struct {
		path, authorization, stdin string
		query                      url.Values
	}
	requests := make(chan asked, 1)
	e := execServer(t, func(conn *websocket.Conn, r *http.Request) {
		_, stdin, err := conn.ReadMessage()
		if err != nil {
			t.Error(err)
		}
		requests <- asked{r.URL.Path, r.Header.Get("Authorization"), string(stdin), r.URL.Query()}
		if err := conn.WriteMessage(websocket.BinaryMessage, ended(t, metav1.Status{Status: metav1.StatusSuccess})); err != nil {
			t.Error(err)
		}
	})
	if _, err := e.run(t.Context(), execPod, "bot", []string{"/bot", "send-test", "--text", "-"}, "hello\n"); err != nil {
		t.Fatal(err)
	}
	got := <-requests
	if got.path != "/api/v1/namespaces/support/pods/shop-bot-1/exec" || got.authorization != "Bearer a-token" || got.stdin != "\x00hello\n" ||
		!slices.Equal(got.query["command"], []string{"/bot", "send-test", "--text", "-"}) || got.query.Get("container") != "bot" || got.query.Get("stdin") != "true" {
		t.Errorf("request: %+v", got)
	}
}

func TestARefusedCommandIsTheServersError(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		status := apierrors.NewForbidden(corev1.Resource("pods"), "shop-bot-1", errors.New("no")).Status()
		status.Status = metav1.StatusFailure
		if err := json.NewEncoder(w).Encode(status); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	e := &webSocketExecutor{config: &rest.Config{Host: server.URL}}
	if _, err := e.run(t.Context(), execPod, "bot", []string{"/bot"}, ""); !apierrors.IsForbidden(err) {
		t.Errorf("got %v", err)
	}
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	e.config.Host = plain.URL
	if _, err := e.run(t.Context(), execPod, "bot", []string{"/bot"}, ""); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("got %v", err)
	}
}

func TestACommandEndsWithItsContext(t *testing.T) {
	began, done := make(chan struct{}), make(chan struct{})
	e := execServer(t, func(*websocket.Conn, *http.Request) { close(began); <-done })
	defer close(done)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	go func() { <-began; cancel() }()
	if _, err := e.run(ctx, execPod, "bot", []string{"/bot"}, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
