// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/gorilla/websocket"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/remotecommand"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/transport"
)

const (
	// maxOutput bounds what is read of a command's output.
	maxOutput = 8 << 20
	// handshakeTimeout bounds the way to the container.
	handshakeTimeout = 30 * time.Second
)

// execution is how a command in a container ended.
type execution struct {
	stdout, stderr []byte
	code           int
}

// executor runs commands in containers.
type executor interface {
	// run runs a command with stdin as its standard input, which is never ended: a command must know when it has read enough.
	run(ctx context.Context, pod *corev1.Pod, container string, command []string, stdin string) (execution, error)
}

// webSocketExecutor runs commands over the API server's WebSocket, which every proxy that lets WebSockets pass can carry.
type webSocketExecutor struct{ config *rest.Config }

func (e *webSocketExecutor) run(ctx context.Context, pod *corev1.Pod, container string, command []string, stdin string) (execution, error) {
	address, err := e.address(pod, container, command, stdin != "")
	if err != nil {
		return execution{}, err
	}
	conn, err := e.dial(ctx, address)
	if err != nil {
		return execution{}, err
	}
	defer conn.Close() //nolint:errcheck // what matters was read
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	if stdin != "" {
		if err := conn.WriteMessage(websocket.BinaryMessage, append([]byte{remotecommand.StreamStdIn}, stdin...)); err != nil {
			return execution{}, fmt.Errorf("write to the command: %w", err)
		}
	}
	result, err := readExecution(conn)
	if err != nil {
		return result, errors.Join(ctx.Err(), err)
	}
	return result, nil
}

func (e *webSocketExecutor) address(pod *corev1.Pod, container string, command []string, stdin bool) (*url.URL, error) {
	config := rest.CopyConfig(e.config)
	config.APIPath, config.GroupVersion = "/api", &corev1.SchemeGroupVersion
	base, path, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, fmt.Errorf("read the server's address: %w", err)
	}
	u := base.JoinPath(path, "namespaces", pod.Namespace, "pods", pod.Name, "exec")
	u.RawQuery = url.Values{"container": {container}, "command": command, "stdout": {"true"}, "stderr": {"true"},
		"stdin": {strconv.FormatBool(stdin)}}.Encode()
	return u, nil
}

// dial opens the WebSocket with the person's credentials. A refusal is the API server's own error.
func (e *webSocketExecutor) dial(ctx context.Context, address *url.URL) (*websocket.Conn, error) {
	settings, err := e.config.TransportConfig()
	if err != nil {
		return nil, fmt.Errorf("read the credentials: %w", err)
	}
	tls, err := transport.TLSConfigFor(settings)
	if err != nil {
		return nil, fmt.Errorf("read the certificates: %w", err)
	}
	proxy := e.config.Proxy
	if proxy == nil {
		proxy = http.ProxyFromEnvironment
	}
	up := &upgrade{dialer: websocket.Dialer{
		Proxy: proxy, TLSClientConfig: tls, NetDialContext: e.config.Dial, HandshakeTimeout: handshakeTimeout,
		Subprotocols: []string{remotecommand.StreamProtocolV5Name, remotecommand.StreamProtocolV4Name},
	}}
	authenticated, err := transport.HTTPWrappersForConfig(settings, up)
	if err != nil {
		return nil, fmt.Errorf("read the credentials: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return nil, err
	}
	resp, err := authenticated.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	return up.conn, resp.Body.Close()
}

// upgrade is the round tripper below client-go's, which add the credentials: it makes a WebSocket of the request.
type upgrade struct {
	dialer websocket.Dialer
	conn   *websocket.Conn
}

// RoundTrip makes the WebSocket's handshake of the request.
func (u *upgrade) RoundTrip(req *http.Request) (*http.Response, error) {
	address := *req.URL
	address.Scheme = map[string]string{"https": "wss", "http": "ws"}[address.Scheme]
	conn, resp, err := u.dialer.DialContext(req.Context(), address.String(), req.Header)
	if errors.Is(err, websocket.ErrBadHandshake) && resp != nil {
		return nil, errors.Join(refusalOf(resp), resp.Body.Close())
	}
	u.conn = conn
	return resp, err
}

// refusalOf is the API server's error in an answer that is no WebSocket.
func refusalOf(resp *http.Response) error {
	var status metav1.Status
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err == nil && json.Unmarshal(body, &status) == nil && status.Status == metav1.StatusFailure {
		return &apierrors.StatusError{ErrStatus: status}
	}
	return fmt.Errorf("the server answers with HTTP %s and no WebSocket: a proxy in between may not let it pass", resp.Status)
}

// readExecution reads the streams until the server ends the connection. Each message begins with the number of its
// stream. How the command ended may be told before the last of its output.
func readExecution(conn *websocket.Conn) (execution, error) {
	conn.SetReadLimit(maxOutput)
	var stdout, stderr, end bytes.Buffer
	streams := map[byte]*bytes.Buffer{
		remotecommand.StreamStdOut: &stdout, remotecommand.StreamStdErr: &stderr, remotecommand.StreamErr: &end,
	}
	for {
		_, message, err := conn.ReadMessage()
		if err != nil && end.Len() > 0 {
			break
		}
		if err != nil {
			return execution{}, fmt.Errorf("the connection to the container broke off: %w", err)
		}
		if stdout.Len()+stderr.Len()+end.Len()+len(message) > maxOutput {
			return execution{}, fmt.Errorf("the command writes more than %d MiB", maxOutput>>20)
		}
		if len(message) > 1 && streams[message[0]] != nil {
			streams[message[0]].Write(message[1:])
		}
	}
	code, err := exitCode(end.Bytes())
	return execution{stdout.Bytes(), stderr.Bytes(), code}, err
}

// exitCode reads the last message of an execution; the error says why the command did not run.
func exitCode(message []byte) (int, error) {
	var status metav1.Status
	if err := json.Unmarshal(message, &status); err != nil {
		return 0, fmt.Errorf("read how the command ended: %w", err)
	}
	if status.Status == metav1.StatusSuccess {
		return 0, nil
	}
	if status.Reason == remotecommand.NonZeroExitCodeReason && status.Details != nil {
		for _, cause := range status.Details.Causes {
			if cause.Type == remotecommand.ExitCodeCauseType {
				if code, err := strconv.Atoi(cause.Message); err == nil {
					return code, nil
				}
			}
		}
	}
	return 0, &apierrors.StatusError{ErrStatus: status}
}
