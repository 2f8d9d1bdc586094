// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"errors"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
)

var testAt = time.Date(2026, 1, 2, 3, 4, 5, 678_901_000, time.UTC)

// someBodies are bodies of every type, as the bot or a site would send them.
func someBodies() map[string]Body {
	files := []Attachment{
		{Name: "снимок \"1\".png", MIME: "image/png", Size: 3, Content: []byte{0, 1, 255}},
		{Name: "a.pdf", MIME: "application/pdf", Size: 1 << 40, URL: "https://shop.test/a.pdf?x=1&y=<"},
		{Name: "empty", Content: []byte{}},
	}
	who := Actor{TelegramID: 999, Username: "user", Name: "Имя \u2028 <&>"}
	return map[string]Body{
		"ack":                    Ack{},
		"hello":                  Hello{"feedbackbridge-bot/1.0", 2, []string{"statuses", "replies"}, []string{"0011223344556677"}, "0011223344556677"},
		"hello without keys":     Hello{Software: "x", Protocol: 2},
		"key update":             KeyUpdate{[]string{"0011223344556677", "8899aabbccddeeff"}, "0011223344556677", testAt},
		"delivered":              Answer{OK: true, TicketID: "ticket_site_1", MessageID: 456, SentAt: "2025-10-17T12:00:01"},
		"refused":                Answer{Error: "ошибка", Code: CodeDeliveryRefused},
		"expired":                Refusal(ErrExpired),
		"created":                Created{TicketID: "ticket_tg_1", TelegramID: 999, Username: "user", FirstName: "Имя", Nickname: "n", Category: "bug", Message: "Текст\n", CreatedAt: testAt, Locale: "ru", Attachments: files},
		"created with little":    Created{TicketID: "ticket_tg_1", Category: "bug", Message: "m", CreatedAt: testAt},
		"status":                 StatusUpdate{"ticket_site_1", 1, "in_progress", who, testAt},
		"status without ticket":  StatusUpdate{FeedbackID: 1, Status: "new", At: testAt},
		"status with a username": StatusUpdate{"t", 0, "closed", Actor{Username: "u"}, testAt},
		"status with an id":      StatusUpdate{"t", 0, "closed", Actor{TelegramID: 5}, testAt},
		"reply":                  Reply{"ticket_site_1", 1, FromStaff, "Ответ", files, who, testAt},
		"reply of files":         Reply{"", 1, FromUser, "", files[:1], Actor{}, testAt},
		"broken text":            Reply{"t\xff", 0, FromUser, "a\xed\xa0\x80b", nil, Actor{Name: "\xc0"}, testAt},
	}
}

func TestBodiesComeBackAsTheyWere(t *testing.T) {
	key := mustKey(t, "key")
	for name, want := range someBodies() {
		if name == "broken text" { // is mended on its way
			continue
		}
		e := mustOpen(t, mustAppend(t, want, key), key)
		got, err := readBody(&e)
		if hello, ok := got.(Hello); ok && len(hello.Keys) == 0 {
			got = Hello{Software: hello.Software, Protocol: hello.Protocol}
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v\ngot  %+v\nwant %+v", name, err, got, want)
		}
	}
}

// readBody reads the data of a frame of any type that the bot sends.
func readBody(e *Envelope) (Body, error) {
	switch e.Type {
	case TypeAck:
		return Ack{}, nil
	case TypeHello:
		return wrapBody(e.Hello())
	case TypeKeyUpdate:
		return wrapBody(e.KeyUpdate())
	case TypeFeedbackResult:
		return wrapBody(e.Answer())
	case TypeFeedbackCreated:
		return wrapBody(e.Created())
	case TypeFeedbackStatus:
		return wrapBody(e.Status())
	case TypeFeedbackReply:
		return wrapBody(e.Reply())
	}
	return nil, errors.New("no body of type " + e.Type)
}

func wrapBody[B Body](b B, err error) (Body, error) { return b, err }

func TestTimesAreOfTheMicrosecond(t *testing.T) {
	for _, c := range []struct {
		at   time.Time
		want string
	}{
		{testAt, "2026-01-02T03:04:05.678901Z"},
		{time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3*3600)), "2026-01-02T00:04:05.000000Z"},
		{time.Time{}, "0001-01-01T00:00:00.000000Z"},
		{time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC), "0001-01-01T00:00:00.000000Z"},
		{time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC), "9999-12-31T23:59:59.999999Z"},
	} {
		if got := string(appendTime(nil, c.at)); got != `"`+c.want+`"` {
			t.Errorf("%v is printed as %s, want %s", c.at, got, c.want)
		}
	}
}

func decodeData(t *testing.T, data string) *Envelope {
	t.Helper()
	v, err := Parse([]byte(data), DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	return &Envelope{Data: v}
}

func TestFeedbackOfVersion2(t *testing.T) {
	const basic = `"feedback_id":1,"category":"bug","message":"m"`
	feedback := Feedback{FeedbackID: 1, Category: "bug", Message: "m"}
	for _, c := range []struct {
		data string
		want SiteFeedback
	}{
		{`{` + basic + `}`, SiteFeedback{Feedback: feedback}},
		{`{` + basic + `,"locale":null,"attachments":null}`, SiteFeedback{Feedback: feedback}},
		{`{` + basic + `,"locale":"pt-BR","attachments":[]}`, SiteFeedback{Feedback: feedback, Locale: "pt-BR"}},
		{`{` + basic + `,"locale":"<b>"}`, SiteFeedback{Feedback: feedback}},
		{`{` + basic + `,"locale":7}`, SiteFeedback{Feedback: feedback}},
		{`{` + basic + `,"attachments":[{"name":"a","mime":"image/png","size":2,"base64":"AAE="},{"url":"https://shop.test/b"}]}`,
			SiteFeedback{Feedback: feedback, Attachments: []Attachment{
				{Name: "a", MIME: "image/png", Size: 2, Content: []byte{0, 1}}, {URL: "https://shop.test/b"}}}},
	} {
		got, err := decodeData(t, c.data).Feedback()
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, %v", c.data, got, err)
		}
	}
}

const (
	basicFeedback = `"feedback_id":1,"category":"bug","message":"m","attachments":`
	basicStatus   = `"status":"read","at":"2026-01-02T03:04:05.678901Z"`
	basicReply    = `"feedback_id":1,"at":"2026-01-02T03:04:05.678901Z"`
)

// refusedBodies are data that a reader refuses, with what it says.
var refusedBodies = []struct{ frameType, data, want string }{
	{TypeNewFeedback, `{"feedback_id":1,"category":"bug"}`, "message: missing"},
	{TypeNewFeedback, `{` + basicFeedback + `{}}`, "attachments: an object, not an array"},
	{TypeNewFeedback, `{` + basicFeedback + `[7]}`, "attachments: 0: an integer, not an object"},
	{TypeNewFeedback, `{` + basicFeedback + `[{"name":7}]}`, "attachments: 0: name: an integer, not a string"},
	{TypeFeedbackStatus, `{` + basicStatus + `}`, "ticket_id: neither it nor feedback_id is there"},
	{TypeFeedbackStatus, `{"feedback_id":-1,` + basicStatus + `}`, "ticket_id: neither it nor feedback_id is there"},
	{TypeFeedbackStatus, `{` + basicStatus + `,"feedback_id":1,"status":"open"}`, "status: none of new, read, in_progress, replied, closed"},
	{TypeFeedbackStatus, `{"feedback_id":1,"status":"read"}`, "at: missing"},
	{TypeFeedbackStatus, `{"feedback_id":1,"status":"read","at":"yesterday"}`, "at: not a time of RFC 3339"},
	{TypeFeedbackStatus, `{"feedback_id":1,"status":"read","at":"0000-01-01T00:00:00Z"}`, "at: not a time of RFC 3339"},
	{TypeFeedbackStatus, `{"feedback_id":1,"actor":{"telegram_id":"x"},` + basicStatus + `}`,
		"actor: telegram_id: a string, not an integer"},
	{TypeFeedbackReply, `{` + basicReply + `,"from":"bot","text":"x"}`, "from: neither staff nor user"},
	{TypeFeedbackReply, `{` + basicReply + `,"from":"staff","text":""}`, "text: empty"},
	{TypeHello, `{"protocol":1,"capabilities":[],"keys":[],"preferred":""}`, "protocol: less than 2"},
}

func TestBodiesThatAreRefused(t *testing.T) {
	readers := map[string]func(*Envelope) error{
		TypeNewFeedback:    func(e *Envelope) error { _, err := e.Feedback(); return err },
		TypeFeedbackStatus: func(e *Envelope) error { _, err := e.Status(); return err },
		TypeFeedbackReply:  func(e *Envelope) error { _, err := e.Reply(); return err },
		TypeHello:          func(e *Envelope) error { _, err := e.Hello(); return err },
	}
	for _, c := range refusedBodies {
		var refused *InvalidPayloadError
		if err := readers[c.frameType](decodeData(t, c.data)); !errors.As(err, &refused) || err.Error() != "Invalid payload: "+c.want {
			t.Errorf("%s:\n got %v\nwant Invalid payload: %s", c.data, err, c.want)
		}
	}
}

// What is wrong with a file must not cost what it came with: it is one that is only named.
func TestFilesThatAreOnlyNamed(t *testing.T) {
	long := strings.Repeat("я", 300)
	for file, want := range map[string]Attachment{
		`{}`:                             {},
		`{"name":"a","size":1073741824}`: {Name: "a", Size: 1 << 30},
		`{"name":"` + long + `"}`:        {Name: long[:2*maxFileName]},
		`{"name":"` + long[:2*maxFileName] + `","mime":"` + long + `"}`: {Name: long[:2*maxFileName], MIME: long[:2*maxMIME]},
		`{"size":-1}`:                                                     {},
		`{"url":"http://shop.test/"}`:                                     {},
		`{"url":"https:///x"}`:                                            {},
		`{"url":"https://a:b@shop.test/"}`:                                {},
		`{"url":"ftp://shop.test/"}`:                                      {},
		`{"base64":"a"}`:                                                  {},
		`{"base64":"","url":"https://shop.test/"}`:                        {Content: []byte{}},
		`{"base64":"a","url":"https://shop.test/"}`:                       {URL: "https://shop.test/"},
		`{"url":"https://shop.test/` + strings.Repeat("a", maxURL) + `"}`: {},
	} {
		reply, err := decodeData(t, `{`+basicReply+`,"from":"staff","text":"x","attachments":[`+file+`]}`).Reply()
		if err != nil || len(reply.Attachments) != 1 || !reflect.DeepEqual(reply.Attachments[0], want) {
			t.Errorf("%s: %+v, %v", file, reply.Attachments, err)
		}
	}
	many := strings.Repeat(`{"name":"a"},`, 11) + `{}`
	if reply, err := decodeData(t, `{`+basicReply+`,"from":"staff","text":"x","attachments":[`+many+`]}`).Reply(); err != nil || len(reply.Attachments) != 10 {
		t.Errorf("of 12 files: %d, %v", len(reply.Attachments), err)
	}
}

func TestListsOfAHelloAreCut(t *testing.T) {
	e := decodeData(t, `{"protocol":2,"capabilities":["replies",7,"я"],"keys":["`+strings.Repeat(`a","`, 99)+`a"]}`)
	if hello, err := e.Hello(); err != nil || !reflect.DeepEqual(hello.Capabilities, []string{"replies"}) || len(hello.Keys) != maxList {
		t.Errorf("%+v, %v", hello, err)
	}
}

func TestRefusals(t *testing.T) {
	for code, c := range map[string]struct {
		err       error
		retryable bool
	}{
		CodeInvalidMessage:   {&InvalidMessageError{What: "x"}, true},
		CodeInvalidSignature: {ErrBadSignature, true},
		CodeExpired:          {ErrExpired, true},
		CodeReplayed:         {ErrReplayedNonce, true},
		CodeInvalidPayload:   {&InvalidPayloadError{"f", "x"}, false},
	} {
		want := Answer{Error: c.err.Error(), Code: code, Retryable: c.retryable}
		if got := Refusal(c.err); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
}

func TestElements(t *testing.T) {
	v, err := Parse([]byte(`{"a":[1,[2,{"b":3}],"x",{}],"c":[]}`), DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i, e := range v.Get("a").Elements() {
		canonical, err := e.AppendCanonical(nil, FormUTF8)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, strconv.Itoa(i)+string(canonical))
		if i == 2 {
			break
		}
	}
	if want := []string{"01", `1[2,{"b":3}]`, `2"x"`}; !reflect.DeepEqual(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	for _, empty := range []Value{v.Get("c"), v, {}} {
		for i := range empty.Elements() {
			t.Errorf("%v has an element %d", empty.Kind(), i)
		}
	}
}
