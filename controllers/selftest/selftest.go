// SPDX-License-Identifier: Apache-2.0

// Package selftest asks an installed operator how it is, as Prometheus would: through its Service, for its metrics. It is
// what `helm test` runs: the image has no shell, and what it shows (names, Service, certificate, TokenReview and
// SubjectAccessReview, caches that are filled, bridges that are Ready) is what monitoring depends on.
package selftest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

const (
	// maxBody bounds an answer: 10,000 bridges have about 15 MiB of metrics.
	maxBody = 64 << 20
	// pause is how long is waited before the operator is asked again.
	pause = time.Second
	// requestTimeout bounds one question.
	requestTimeout = 10 * time.Second
	// leading is a metric that every replica has, whether it leads or waits.
	leading = `leader_election_master_status{name="operator.feedbackbridge.dev"} `
)

type test struct {
	url       string
	tokenFile string
	ready     []string
	timeout   time.Duration
	client    *http.Client
}

// Command is the subcommand "selftest" of the operator's program.
func Command() *cobra.Command {
	t := test{client: &http.Client{
		Timeout: requestTimeout,
		Transport: &http.Transport{
			// The operator's certificate is self-signed and new at each start.
			TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true}, //nolint:gosec // see above
		},
	}}
	cmd := &cobra.Command{
		Use:   "selftest",
		Short: "Ask an operator for its metrics, and whether bridges are Ready",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := t.run(cmd.Context()); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), "the operator serves its metrics; bridges that are Ready:", len(t.ready))
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&t.url, "url", "", "where the operator serves its metrics")
	f.StringVar(&t.tokenFile, "token-file", "", "the token to show; without it, metrics should be for everyone")
	f.StringSliceVar(&t.ready, "ready", nil, "bridges that should be Ready, as namespace/name")
	f.DurationVar(&t.timeout, "timeout", 30*time.Second, "how long to wait for all that")
	if err := cmd.MarkFlagRequired("url"); err != nil {
		panic(err) // the flag is defined above
	}
	return cmd
}

// run asks until everything is as it should be; at the end of the timeout it says what is not.
func (t *test) run(ctx context.Context) error {
	for _, bridge := range t.ready {
		if namespace, name, ok := strings.Cut(bridge, "/"); !ok || namespace == "" || name == "" {
			return fmt.Errorf("--ready %q is not namespace/name", bridge)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	var why error
	for {
		err := t.ask(ctx)
		if err == nil || errors.Is(err, errOpen) {
			return err
		}
		if why == nil || ctx.Err() == nil { // a question that the timeout cut off says less than the one before
			why = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not within %s: %w", t.timeout, why)
		case <-time.After(pause):
		}
	}
}

// errOpen is that strangers can read the metrics. It does not pass by waiting.
var errOpen = errors.New("the operator serves its metrics to those who show no token")

func (t *test) ask(ctx context.Context) error {
	var token string
	if t.tokenFile != "" {
		status, _, err := t.get(ctx, "")
		if err != nil {
			return err
		}
		if status == http.StatusOK {
			return errOpen
		}
		content, err := os.ReadFile(t.tokenFile)
		if err != nil {
			return fmt.Errorf("read the token: %w", err)
		}
		token = strings.TrimSpace(string(content))
	}
	status, body, err := t.get(ctx, token)
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return fmt.Errorf("the operator answers with HTTP %d: may this service account get /metrics, and may the operator create TokenReviews and SubjectAccessReviews?", status)
	}
	return check(body, t.ready)
}

func (t *test) get(ctx context.Context, token string) (status int, body []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, t.url, nil)
	if err != nil {
		return 0, nil, err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := t.client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	body, err = io.ReadAll(io.LimitReader(response.Body, maxBody))
	if err != nil {
		return 0, nil, fmt.Errorf("read %s: %w", t.url, err)
	}
	return response.StatusCode, body, nil
}

// check looks for what an operator's metrics should hold, and for bridges that are Ready.
func check(metrics []byte, ready []string) error {
	var leads bool
	samples := map[string]bool{}
	lines := bufio.NewScanner(bytes.NewReader(metrics))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		leads = leads || strings.HasPrefix(lines.Text(), leading)
		samples[lines.Text()] = true
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read the metrics: %w", err)
	}
	if !leads {
		return errors.New("the answer has no metrics of an operator")
	}
	var errs []error
	for _, bridge := range ready {
		namespace, name, _ := strings.Cut(bridge, "/")
		if !samples[fmt.Sprintf("feedbackbridge_ready{name=%q,namespace=%q} 1", name, namespace)] {
			errs = append(errs, fmt.Errorf("bridge %s is not Ready", bridge))
		}
	}
	return errors.Join(errs...)
}
