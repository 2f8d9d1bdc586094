// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	operatorMetrics = "# HELP leader_election_master_status ...\n" +
		`leader_election_master_status{name="operator.feedbackbridge.dev"} 1` + "\n"
	shopReady    = `feedbackbridge_ready{name="shop",namespace="support"} 1` + "\n"
	shopNotReady = `feedbackbridge_ready{name="shop",namespace="support"} 0` + "\n"
)

func TestSelftest(t *testing.T) {
	for name, c := range map[string]struct {
		metrics string
		open    bool // served to strangers
		token   string
		ready   string
		want    string // in the error; none where empty
	}{
		"an operator":                  {metrics: operatorMetrics, token: "good"},
		"a bridge is Ready":            {metrics: operatorMetrics + shopReady, token: "good", ready: "support/shop"},
		"served to everyone, as asked": {metrics: operatorMetrics, open: true},
		"a bridge is not Ready":        {metrics: operatorMetrics + shopNotReady, token: "good", ready: "support/shop", want: "bridge support/shop is not Ready"},
		"a bridge is unknown":          {metrics: operatorMetrics + shopReady, token: "good", ready: "support/other", want: "bridge support/other is not Ready"},
		"the token is refused":         {metrics: operatorMetrics, token: "bad", want: "HTTP 401"},
		"served to strangers":          {metrics: operatorMetrics, open: true, token: "good", want: "who show no token"},
		"another program":              {metrics: "go_goroutines 7\n", token: "good", want: "no metrics of an operator"},
		"a wrong argument":             {metrics: operatorMetrics, token: "good", ready: "shop", want: "not namespace/name"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !c.open && r.Header.Get("Authorization") != "Bearer good" {
					w.WriteHeader(http.StatusUnauthorized)
					return
				}
				io.WriteString(w, c.metrics) //nolint:errcheck // the client would notice
			}))
			defer server.Close()
			args := []string{"--url=" + server.URL, "--timeout=50ms"}
			if c.token != "" {
				file := filepath.Join(t.TempDir(), "token")
				if err := os.WriteFile(file, []byte(c.token+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
				args = append(args, "--token-file="+file)
			}
			if c.ready != "" {
				args = append(args, "--ready="+c.ready)
			}
			err := execute(t, args)
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func execute(t *testing.T, args []string) error {
	t.Helper()
	cmd := Command()
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetOut(io.Discard)
	cmd.SetArgs(args)
	return cmd.ExecuteContext(t.Context())
}
