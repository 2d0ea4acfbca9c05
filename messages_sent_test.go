package crisp_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
)

// The message was sent: in whatever form its fingerprint comes back, it is read.
func TestFingerprintsOfSentMessagesAreReadInEveryForm(t *testing.T) {
	for _, number := range []string{
		`163239623329114`, `163239623329114.0`, `1.63239623329114e14`, `"163239623329114"`, `"163239623329114.0"`,
	} {
		client, mock := mockedClient(t)
		mock.RegisterNoResponder(answer(201, `{"error":false,"reason":"dispatched","data":{"more":[],"fingerprint":`+number+`}}`))
		got, err := client.SendMessage(t.Context(), testRef, crisp.Message{Content: crisp.TextContent("Hello")})
		require.NoError(t, err, number)
		assert.Equal(t, int64(163239623329114), got, number)
		assert.Equal(t, 1, mock.GetTotalCallCount())
	}
	for _, data := range []string{`[]`, `null`, `"1"`, `{"fingerprint":1.5}`, `{"fingerprint":1e99}`, `{"fingerprint":[]}`} {
		client, mock := mockedClient(t)
		mock.RegisterNoResponder(answer(201, `{"error":false,"reason":"dispatched","data":`+data+`}`))
		_, err := client.SendMessage(t.Context(), testRef, crisp.Message{Content: crisp.TextContent("Hello")})
		assert.ErrorContains(t, err, "the message was sent", data)
	}
}

func TestWhatMessagesSend(t *testing.T) {
	picker := &crisp.PickerContent{ID: "i", Text: "t", Choices: []crisp.PickerChoice{{Value: "v", Label: "l"}}}
	html := crisp.OriginalSource{Type: "text/html", Content: "<p>Hi</p>"}
	for want, m := range map[string]crisp.Message{
		`{"type":"text","from":"operator","origin":"chat","content":"Hi","mentions":["user-1"],"automated":true}`: {
			Content: crisp.TextContent("Hi"), Mentions: []string{"user-1"},
		},
		`{"type":"picker","from":"operator","origin":"chat","mentions":["user-1"],"automated":true,
			"content":{"id":"i","text":"t","choices":[{"value":"v","label":"l","selected":false}]}}`: {
			Content: picker, Mentions: []string{"user-1"},
		},
		`{"type":"text","from":"operator","origin":"email","content":"Hi","original":{"type":"text/html","content":"<p>Hi</p>"},"automated":true}`: {
			Content: crisp.TextContent("Hi"), Origin: "email", Original: html,
		},
		`{"type":"text","from":"operator","origin":"chat","content":"Hi","original":{"original_id":"o1"},"automated":true}`: {
			Content: crisp.TextContent("Hi"), Original: crisp.OriginalSource{ID: "o1"},
		},
	} {
		client, mock := mockedClient(t)
		var body []byte
		mock.RegisterNoResponder(func(r *http.Request) (*http.Response, error) {
			body, _ = io.ReadAll(r.Body)
			return answer(201, `{"error":false,"reason":"dispatched","data":{"fingerprint":5}}`)(r)
		})
		_, err := client.SendMessage(t.Context(), testRef, m)
		require.NoError(t, err, want)
		assert.JSONEq(t, want, string(body))
	}
}
