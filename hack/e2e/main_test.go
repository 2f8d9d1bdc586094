// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/feedbackbridge/feedbackbridge/hack/e2e/world"
)

func TestMain(m *testing.M) {
	if err := prepare(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func prepare(ctx context.Context) error {
	root := filepath.Join("..", "..")
	if err := world.Connect(ctx, root); err != nil {
		return err
	}
	return world.InstallOperator(ctx, root)
}
