// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
)

// printable passes text on without what would steer the terminal: control characters (but ends of lines and tabs), and
// characters that change the direction of the text around them.
type printable struct{ io.Writer }

func (p printable) Write(text []byte) (int, error) {
	if _, err := io.WriteString(p.Writer, strings.Map(printableRune, string(text))); err != nil {
		return 0, err
	}
	return len(text), nil
}

// printableError is an error whose words are printable.
func printableError(err error) error {
	if err == nil {
		return nil
	}
	return wrapped{err}
}

type wrapped struct{ error }

func (w wrapped) Error() string { return strings.Map(printableRune, w.error.Error()) }
func (w wrapped) Unwrap() error { return w.error }

func printableRune(r rune) rune {
	switch {
	case r == '\n', r == '\t':
		return r
	case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r):
		return unicode.ReplacementChar
	}
	return r
}

// line is a text in one line, as a table's cell or the end of a sentence takes it.
func line(text string) string { return strings.Join(strings.Fields(text), " ") }

// sentence is a text in one line that ends with a full stop.
func sentence(text string) string {
	text = line(text)
	if text == "" || strings.HasSuffix(text, ".") {
		return text
	}
	return text + "."
}

// The formats of --output.
const (
	formatText = ""
	formatJSON = "json"
	formatWide = "wide"
)

// formatFlag adds --output; allowed are the formats besides formatText.
func formatFlag(cmd *cobra.Command, format *string, allowed ...string) {
	cmd.Flags().StringVarP(format, "output", "o", formatText, strings.Join(allowed, " or ")+", or empty for text")
	cmd.PreRunE = func(*cobra.Command, []string) error {
		for _, a := range append(allowed, formatText) {
			if *format == a {
				return nil
			}
		}
		return fmt.Errorf("--output %q: it can be %s", *format, strings.Join(allowed, " or "))
	}
}

func printJSON(out io.Writer, v any) error {
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// none stands where there is nothing to show.
const none = "-"

// ago is how long ago a time was, in a form such as 5m.
func ago(now time.Time, t *metav1.Time) string {
	if t.IsZero() {
		return none
	}
	return duration.HumanDuration(max(now.Sub(t.Time), 0))
}

// until is how far ahead a time is, such as "in 5m", or how long it is over, such as "5m ago".
func until(now time.Time, t *metav1.Time) string {
	if t.IsZero() {
		return none
	}
	if left := t.Sub(now); left > 0 {
		return "in " + duration.HumanDuration(left)
	}
	return ago(now, t) + " ago"
}

// stamp is a time as people and programs both read it.
func stamp(t *metav1.Time) string {
	if t.IsZero() {
		return none
	}
	return t.UTC().Format(time.RFC3339)
}
