// SPDX-License-Identifier: Apache-2.0

// Command reference writes docs/reference.md, of which not a word is written by hand: the fields come from the CRD, the
// conditions, reasons and names from the comments of api/v1alpha1, events and metrics from the controllers.
//
//	go run ./hack/reference > docs/reference.md
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Where the sources are, below the repository's root.
const (
	crdFile       = "config/crd/bases/feedbackbridge.dev_feedbackbridges.yaml"
	conditionFile = "api/v1alpha1/conditions.go"
	contractFile  = "api/v1alpha1/contract.go"
	controllerDir = "controllers"
	metricsFile   = "controllers/metrics.go"
)

func main() {
	out := bufio.NewWriter(os.Stdout)
	err := write(out, ".")
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "reference:", err)
		os.Exit(1)
	}
}

// write writes the page from the sources below root.
func write(w io.Writer, root string) error {
	crd, err := readCRD(filepath.Join(root, crdFile))
	if err != nil {
		return err
	}
	conditions, err := readConstants(filepath.Join(root, conditionFile))
	if err != nil {
		return err
	}
	contract, err := readConstants(filepath.Join(root, contractFile))
	if err != nil {
		return err
	}
	events, err := readPackageConstants(filepath.Join(root, controllerDir), "event")
	if err != nil {
		return err
	}
	metrics, err := readMetrics(filepath.Join(root, metricsFile))
	if err != nil {
		return err
	}
	p := page{w: w}
	p.line("<!-- Made by hack/reference from the sources. Change those, and run: make reference -->")
	p.line("# Reference")
	p.line("")
	p.line("`FeedbackBridge` (short name `fbb`), API group `feedbackbridge.dev`, version `v1alpha1`. %s", oneLine(crd.Description))
	p.line("")
	p.line("`kubectl explain feedbackbridge.spec` says the same on the command line. [What broken bridges say](troubleshooting.md) has examples.")
	p.schema(crd)
	p.conditions(conditions)
	p.names(contract)
	p.events(events)
	p.metrics(metrics)
	return p.err
}

// page is Markdown under way; the first error stays.
type page struct {
	w   io.Writer
	err error
}

func (p *page) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}

func (p *page) heading(level int, text string) {
	p.line("")
	p.line("%s %s", strings.Repeat("#", level), text)
	p.line("")
}

// table writes a header, its rule and rows, with what Markdown would take for a column's end escaped.
func (p *page) table(header []string, rows [][]string) {
	p.row(header)
	p.line("|%s", strings.Repeat("---|", len(header)))
	for _, r := range rows {
		p.row(r)
	}
}

func (p *page) row(cells []string) {
	escaped := make([]string, len(cells))
	for i, c := range cells {
		escaped[i] = strings.ReplaceAll(oneLine(c), "|", `\|`)
	}
	p.line("| %s |", strings.Join(escaped, " | "))
}

// upperFirst begins a sentence; a field's path at its beginning stays as it is.
func upperFirst(s string) string {
	first, _, _ := strings.Cut(s, " ")
	if s == "" || strings.Contains(strings.TrimSuffix(first, "."), ".") {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func code(s string) string { return "`" + s + "`" }
