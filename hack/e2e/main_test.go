// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/feedbackbridge/feedbackbridge/hack/e2e/world"
)

func TestMain(m *testing.M) {
	flag.Parse()
	began := time.Now()
	if err := prepare(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
	code := m.Run()
	if code == 0 && isWholeRun() {
		if err := compareRBAC(began); err != nil {
			fmt.Fprintln(os.Stderr, "e2e: the operator's role:", err)
			code = 1
		}
	}
	os.Exit(code)
}

// isWholeRun is whether every test ran, on a cluster that keeps an audit log: only then is an unused verb worth a word.
func isWholeRun() bool {
	if _, err := os.Stat(world.Cluster.AuditLog); err != nil {
		fmt.Println("LEFT OUT: the comparison of the operator's role with the audit log, which this cluster does not keep")
		return false
	}
	return flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.skip").Value.String() == ""
}

// prepare installs the operator.
func prepare(ctx context.Context) error {
	root := filepath.Join("..", "..")
	if err := world.Connect(ctx, root); err != nil {
		return err
	}
	return world.InstallOperator(ctx, root)
}
