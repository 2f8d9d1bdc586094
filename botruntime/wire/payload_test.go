// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"errors"
	"math"
	"testing"
)

func payloadOf(t *testing.T, data string) (Feedback, error) {
	t.Helper()
	v, err := Parse([]byte(data), DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	return (&NewFeedback{Data: v}).Payload()
}

func TestPayload(t *testing.T) {
	for name, c := range map[string]struct {
		data string
		want Feedback
	}{
		"all": {
			`{"feedback_id":123,"telegram_id":999,"telegram_username":"user","telegram_first_name":"Имя","nickname":"PlayerNick",
			"category":"bug","message":"Текст","created_at":"2025-10-17T12:00:00","source":"website"}`,
			Feedback{123, 999, "user", "Имя", "PlayerNick", "bug", "Текст", "2025-10-17T12:00:00", "website"},
		},
		"the least": {
			`{"feedback_id":0,"category":"c","message":"m"}`,
			Feedback{Category: "c", Message: "m"},
		},
		"null is absent": {
			`{"feedback_id":1,"category":"c","message":"m","telegram_id":null,"telegram_username":null,
			"telegram_first_name":null,"nickname":null,"created_at":null,"source":null}`,
			Feedback{FeedbackID: 1, Category: "c", Message: "m"},
		},
		"extremes": {
			`{"feedback_id":9223372036854775807,"telegram_id":-9223372036854775808,"category":"c","message":" "}`,
			Feedback{FeedbackID: math.MaxInt64, TelegramID: math.MinInt64, Category: "c", Message: " "},
		},
		"negative zero": {
			`{"feedback_id":-0,"category":"c","message":"m"}`,
			Feedback{Category: "c", Message: "m"},
		},
		"lone surrogates are shown": {
			`{"feedback_id":1,"category":"c","message":"\ud83d\ude00\ud83d!"}`,
			Feedback{FeedbackID: 1, Category: "c", Message: "😀\ufffd!"},
		},
		"members that are not ours": {
			`{"feedback_id":1,"category":"c","message":"m","x":{"y":[]}}`,
			Feedback{FeedbackID: 1, Category: "c", Message: "m"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := payloadOf(t, c.data); err != nil || got != c.want {
				t.Errorf("%+v, %v, want %+v", got, err, c.want)
			}
		})
	}
}

func TestPayloadRefuses(t *testing.T) {
	const rest = `"category":"c","message":"m"`
	for data, want := range map[string]string{
		`{}`:                                                      "feedback_id: missing",
		`{"feedback_id":null,` + rest + `}`:                       "feedback_id: missing",
		`{"feedback_id":"1",` + rest + `}`:                        "feedback_id: a string, not an integer",
		`{"feedback_id":1.0,` + rest + `}`:                        "feedback_id: a float, not an integer",
		`{"feedback_id":true,` + rest + `}`:                       "feedback_id: true, not an integer",
		`{"feedback_id":[1],` + rest + `}`:                        "feedback_id: an array, not an integer",
		`{"feedback_id":-1,` + rest + `}`:                         "feedback_id: negative",
		`{"feedback_id":9223372036854775808,` + rest + `}`:        "feedback_id: does not fit in 64 bits",
		`{"feedback_id":1,"message":"m"}`:                         "category: missing",
		`{"feedback_id":1,"message":"m","category":""}`:           "category: empty",
		`{"feedback_id":1,"message":"m","category":7}`:            "category: an integer, not a string",
		`{"feedback_id":1,"category":"c"}`:                        "message: missing",
		`{"feedback_id":1,"category":"c","message":""}`:           "message: empty",
		`{"feedback_id":1,"category":"c","message":null}`:         "message: missing",
		`{"feedback_id":1,"category":"c","message":{}}`:           "message: an object, not a string",
		`{"feedback_id":1,"category":7,"message":{}}`:             "category: an integer, not a string",
		`{"feedback_id":1,"telegram_id":"9",` + rest + `}`:        "telegram_id: a string, not an integer",
		`{"feedback_id":1,"telegram_id":1e3,` + rest + `}`:        "telegram_id: a float, not an integer",
		`{"feedback_id":1,"telegram_id":1` + zeros + rest + `}`:   "telegram_id: does not fit in 64 bits",
		`{"feedback_id":1,"telegram_username":1,` + rest + `}`:    "telegram_username: an integer, not a string",
		`{"feedback_id":1,"telegram_first_name":[],` + rest + `}`: "telegram_first_name: an array, not a string",
		`{"feedback_id":1,"nickname":false,` + rest + `}`:         "nickname: false, not a string",
		`{"feedback_id":1,"created_at":17,` + rest + `}`:          "created_at: an integer, not a string",
		`{"feedback_id":1,"source":{},` + rest + `}`:              "source: an object, not a string",
	} {
		_, err := payloadOf(t, data)
		var refused *InvalidPayloadError
		if !errors.As(err, &refused) || Reason(err) != "Invalid payload: "+want {
			t.Errorf("%s: %v, want %s", data, err, want)
		}
	}
}

const zeros = "0000000000000000000000000000,"
