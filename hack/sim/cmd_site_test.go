// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"io"
	"strings"
	"testing"
)

func TestFeedbackReader(t *testing.T) {
	for _, test := range []struct {
		name, in string
		count    int
		fails    bool
	}{
		{"lines", "{\"a\":1}\n{\"a\":2}\n", 2, false},
		{"no newline at the end", "{\"a\":1}\n\n {\"a\":2}", 2, false},
		{"array", " [{\"a\":1},\n {\"a\":2}, {}]\n", 3, false},
		{"empty array", "[]", 0, false},
		{"nothing", " \n", 0, false},
		{"line that breaks off", "{\"a\":1}\n{\"a\":", 1, true},
		{"array that breaks off", "[{\"a\":1}", 1, true},
		{"not JSON", "hello", 0, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			next, err := feedbackReader(strings.NewReader(test.in))
			if err != nil {
				t.Fatal(err)
			}
			count := 0
			for ; ; count++ {
				if _, err = next(); err != nil {
					break
				}
			}
			if count != test.count || errors.Is(err, io.EOF) == test.fails {
				t.Errorf("%d feedbacks and %v, want %d", count, err, test.count)
			}
		})
	}
}
