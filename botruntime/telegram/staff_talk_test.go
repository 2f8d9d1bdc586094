// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"regexp"
	"strconv"

	sim "github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

// What the staff and the site do in conversations, besides what people do.
func init() {
	deeds = append(deeds, []struct {
		form *regexp.Regexp
		do   func(s *stage, by sim.User, p []string) error
	}{
		{regexp.MustCompile(`(?s)^(Operator) has the site send(?:, from (\w+))?: (.*)$`), func(s *stage, _ sim.User, p []string) error {
			s.admitFrom(s.people[p[2]].ID, p[3])
			return nil
		}},
		{regexp.MustCompile(`(?s)^(\w+) answers «(.*?)» with (\d+) photos: (.*)$`), func(s *stage, by sim.User, p []string) error {
			in := sim.Incoming{ChatID: s.home(by), By: by, ReplyTo: s.find(s.home(by), p[2]).ID, Text: p[4], AlbumID: "1"}
			n, err := strconv.Atoi(p[3])
			for range n {
				in.Media = &sim.Media{Kind: sim.Photo}
				if _, err := s.Write(in); err != nil {
					return err
				}
				in.Text = ""
			}
			return err
		}},
		{regexp.MustCompile(`(?s)^(\w+) answers anonymously «(.*?)»: (.*)$`), func(s *stage, by sim.User, p []string) error {
			return s.say(sim.Incoming{ChatID: s.home(by), By: by, Anonymous: true, ReplyTo: s.find(s.home(by), p[2]).ID, Text: p[3]})
		}},
	}...)
}
