package jsontext_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/crisp-go/crisp/cmd/crisp/internal/jsontext"
)

func TestDecode(t *testing.T) {
	for text, want := range map[string]string{
		`{"count": 3}`:             "",
		" {\"count\": 3}\n":        "",
		``:                         "EOF",
		`{"count": 3`:              "unexpected EOF",
		`{"count": 3, "cuont": 4}`: `json: unknown field "cuont"`,
		`{"count": 3} {}`:          "there is something after the JSON value",
		`{"count": 3} x`:           "there is something after the JSON value",
	} {
		var got struct{ Count int }
		err := jsontext.Decode([]byte(text), &got)
		if want == "" {
			assert.NoError(t, err, text)
			assert.Equal(t, 3, got.Count, text)
		} else {
			assert.EqualError(t, err, want, text)
		}
	}
}
