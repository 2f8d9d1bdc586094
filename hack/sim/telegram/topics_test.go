// SPDX-License-Identifier: Apache-2.0

package telegram_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

// newForum is a simulator whose group has topics.
func newForum(t *testing.T, c telegram.Chat) *sim {
	t.Helper()
	s := newSim(t, telegram.Config{})
	c.ID, c.Title, c.Forum = group, "Feedback", true
	if err := s.AddChat(c); err != nil {
		t.Fatal(err)
	}
	return s
}

// inGroup calls a method about the group.
func (s *sim) inGroup(method string, pairs ...string) answer {
	s.t.Helper()
	return s.call(method, append([]string{"chat_id", fmt.Sprint(group)}, pairs...)...)
}

// topic makes a topic as the bot does.
func (s *sim) topic(name string) string {
	s.t.Helper()
	a := s.inGroup("createForumTopic", "name", name)
	s.wants(a, "")
	var made struct {
		ThreadID int    `json:"message_thread_id"`
		Name     string `json:"name"`
	}
	if err := json.Unmarshal(a.Result, &made); err != nil || made.ThreadID == 0 || made.Name != name {
		s.t.Fatalf("made %s, %v", a.Result, err)
	}
	return fmt.Sprint(made.ThreadID)
}

func TestTopics(t *testing.T) {
	s := newForum(t, telegram.Chat{})
	bugs, wishes := s.topic("Bugs"), s.topic("Wishes")
	posted := s.send("in a topic", "message_thread_id", bugs)
	s.wants(posted, "")
	var m struct {
		ID       int  `json:"message_id"`
		Thread   int  `json:"message_thread_id"`
		IsTopic  bool `json:"is_topic_message"`
		Original struct {
			Created struct {
				Name string `json:"name"`
			} `json:"forum_topic_created"`
		} `json:"reply_to_message"`
	}
	if err := json.Unmarshal(posted.Result, &m); err != nil || fmt.Sprint(m.Thread) != bugs || !m.IsTopic || m.Original.Created.Name != "Bugs" {
		t.Errorf("posted %s, %v", posted.Result, err)
	}
	s.wants(s.send("an answer", "reply_parameters", fmt.Sprintf(`{"message_id":%d}`, m.ID)), "")
	if last := s.last(); fmt.Sprint(last.ThreadID) != bugs {
		t.Errorf("the answer is in topic %d", last.ThreadID)
	}
	s.wants(s.send("x", "message_thread_id", "999"), "Bad Request: message thread not found")
	s.wants(s.send("x", "message_thread_id", "1"), "Bad Request: message thread not found")
	s.wants(s.inGroup("closeForumTopic", "message_thread_id", wishes), "")
	s.wants(s.inGroup("closeForumTopic", "message_thread_id", wishes), "Bad Request: TOPIC_NOT_MODIFIED")
	s.wants(s.send("who manages topics may", "message_thread_id", wishes), "")
	s.wants(s.inGroup("reopenForumTopic", "message_thread_id", wishes), "")
	s.wants(s.inGroup("editForumTopic", "message_thread_id", wishes, "name", "Ideas"), "")
	if topics := s.Topics(group); len(topics) != 2 || topics[1].Name != "Ideas" || topics[1].Closed {
		t.Errorf("topics %+v", topics)
	}
	s.wants(s.inGroup("deleteForumTopic", "message_thread_id", wishes), "")
	s.wants(s.send("x", "message_thread_id", wishes), "Bad Request: TOPIC_DELETED")
	s.wants(s.inGroup("closeForumTopic", "message_thread_id", wishes), "Bad Request: TOPIC_ID_INVALID")
	for _, m := range s.Messages(group) {
		if fmt.Sprint(m.ThreadID) == wishes {
			t.Errorf("a message of the deleted topic is there: %+v", m)
		}
	}
}

func TestTopicsThatTheBotMayNotManage(t *testing.T) {
	for name, tc := range map[string]struct {
		chat telegram.Chat
		want string
	}{
		"without the right": {telegram.Chat{NoTopicRight: true}, "Bad Request: not enough rights to create a topic"},
		"as a member":       {telegram.Chat{BotStatus: telegram.Member}, "Bad Request: not enough rights to create a topic"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newForum(t, tc.chat)
			s.wants(s.inGroup("createForumTopic", "name", "x"), tc.want)
			thread, err := s.AddTopic(group, "Staff's own")
			if err != nil {
				t.Fatal(err)
			}
			s.wants(s.send("x", "message_thread_id", fmt.Sprint(thread)), "")
			if err := s.CloseTopic(group, thread, true); err != nil {
				t.Fatal(err)
			}
			s.wants(s.send("x", "message_thread_id", fmt.Sprint(thread)), "Bad Request: TOPIC_CLOSED")
		})
	}
	s := newSim(t, telegram.Config{})
	s.wants(s.inGroup("createForumTopic", "name", "x"), "Bad Request: the chat is not a forum")
}

func TestWhatPeopleWriteInTopics(t *testing.T) {
	s := newForum(t, telegram.Chat{})
	thread, err := s.AddTopic(group, "Bugs")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Write(telegram.Incoming{ChatID: group, By: support, Text: "hello", ThreadID: thread}); err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteTopic(group, thread); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Write(telegram.Incoming{ChatID: group, By: support, Text: "hello", ThreadID: thread}); err == nil {
		t.Error("somebody wrote in a topic that was deleted")
	}
	got := string(s.call("getUpdates").Result)
	for _, part := range []string{`"forum_topic_created":{"name":"Bugs"`, `"is_forum":true`, `"is_topic_message":true,"reply_to_message":{"message_id":2`} {
		if !strings.Contains(got, part) {
			t.Errorf("%s is missing in %s", part, got)
		}
	}
}

// last is the last message of the group.
func (s *sim) last() telegram.Message {
	s.t.Helper()
	all := s.Messages(group)
	if len(all) == 0 {
		s.t.Fatal("the group is empty")
	}
	return all[len(all)-1]
}
