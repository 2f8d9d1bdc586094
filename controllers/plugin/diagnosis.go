// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// diagnosis is what the doctor says; with -o json, as it is.
type diagnosis struct {
	Verdict string  `json:"verdict"`
	Healthy bool    `json:"healthy"`
	Checks  []check `json:"checks"`
}

func diagnosisOf(b *v1alpha1.FeedbackBridge, checks []check) diagnosis {
	count := map[result]int{}
	var first check
	for _, c := range checks {
		if count[c.Result]++; c.Result == fail && count[fail] == 1 {
			first = c
		}
	}
	d := diagnosis{Healthy: count[fail] == 0, Checks: checks}
	skipped := ""
	if n := count[skip]; n > 0 {
		skipped = fmt.Sprintf(", %d %s skipped", n, were(n))
	}
	name := nameOf(b, true)
	if d.Healthy {
		d.Verdict = fmt.Sprintf("%s: nothing is wrong: %d checks passed%s.", name, count[pass], skipped)
		return d
	}
	d.Verdict = fmt.Sprintf("%s: %d of %d checks failed%s. First: %s: %s", name, count[fail], len(checks), skipped, first.Subject, sentence(first.Message))
	if first.Todo != "" {
		d.Verdict += " To do: " + sentence(first.Todo)
	}
	return d
}

func were(n int) string {
	if n == 1 {
		return "was"
	}
	return "were"
}

var marks = map[result]string{pass: "✓", fail: "✗", skip: "–"}

func printDiagnosis(out io.Writer, d diagnosis) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, c := range d.Checks {
		fmt.Fprintf(w, "%s %s\t%s\n", marks[c.Result], line(c.Subject), line(c.Message))
		if c.Todo != "" {
			fmt.Fprintf(w, "\t→ %s\n", line(c.Todo))
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "\n%s\n", d.Verdict)
	return err
}
