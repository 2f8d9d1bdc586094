// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package argocd

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/feedbackbridge/feedbackbridge/hack/e2e/world"
)

var root = filepath.Join("..", "..", "..")

func TestMain(m *testing.M) {
	if err := prepare(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// prepare makes room for the operator that Argo CD is to install: the other tests install theirs from config/default, and a
// run that was killed leaves Argo CD's.
func prepare(ctx context.Context) error {
	var err error
	if root, err = filepath.Abs(root); err != nil {
		return err
	}
	if err := world.Connect(ctx, root); err != nil {
		return err
	}
	if err := world.RefuseBridgesOfOthers(ctx); err != nil {
		return err
	}
	removeNetwork(ctx)
	if err := deleteArgoCD(ctx); err != nil {
		return fmt.Errorf("remove what a former run left: %w", err)
	}
	_, err = world.Kubectl(ctx, "delete", "--ignore-not-found", "-k", filepath.Join(root, "config", "default"), "--timeout=60s")
	return err
}
