// SPDX-License-Identifier: Apache-2.0

package wire

import "fmt"

// Form is which of CPython's two canonical forms a signature covers.
type Form uint8

const (
	// FormUTF8 is ensure_ascii=False: characters stand for themselves. Where a
	// document reads the same in both forms, this is the one reported.
	FormUTF8 Form = iota
	// FormASCII is ensure_ascii=True: whatever is not printable ASCII is escaped.
	FormASCII
)

// String returns "utf8" or "ascii".
func (f Form) String() string {
	switch f {
	case FormUTF8:
		return "utf8"
	case FormASCII:
		return "ascii"
	default:
		return fmt.Sprintf("Form(%d)", uint8(f))
	}
}

// ParseForm is the inverse of [Form.String].
func ParseForm(s string) (Form, error) {
	switch s {
	case "utf8":
		return FormUTF8, nil
	case "ascii":
		return FormASCII, nil
	default:
		return 0, fmt.Errorf("form of canonical JSON %.20q: want \"utf8\" or \"ascii\"", s)
	}
}
