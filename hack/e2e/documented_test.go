// SPDX-License-Identifier: Apache-2.0

//go:build e2e && linux

package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/feedbackbridge/feedbackbridge/hack/e2e/world"
)

var commandBlock = regexp.MustCompile("(?s)```(?:ba)?sh\n(.*?)```")

// documented are the commands of a page in docs: for each of the words the first block that has it.
func documented(t *testing.T, page string, words ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", page))
	if err != nil {
		t.Fatal(err)
	}
	var script strings.Builder
	for _, word := range words {
		found := ""
		for _, block := range commandBlock.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(block[1], word) {
				found = block[1]
				break
			}
		}
		if found == "" {
			t.Fatalf("%s has no commands with %q", page, word)
		}
		script.WriteString(found)
	}
	return script.String()
}

// shell runs commands as a person would, who has the plug-in; nothing that they show may be confidential. It returns what they show.
func shell(w *world.World, script string) string {
	w.T.Helper()
	cmd := exec.CommandContext(w.T.Context(), "bash", "-euo", "pipefail", "-c", script)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+world.Cluster.Kubeconfig, "PATH="+installPlugin(w.T, w).path)
	out, err := cmd.CombinedOutput()
	w.T.Logf("%s\n%s", script, out)
	if err != nil {
		w.T.Fatal(err)
	}
	for value, what := range w.Confidential {
		if bytes.Contains(out, []byte(value)) {
			w.T.Errorf("the commands show %s", what)
		}
	}
	return string(out)
}
