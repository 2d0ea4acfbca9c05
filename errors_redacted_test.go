package crisp_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
)

// What is said in a conversation stays out of errors, however they are printed,
// logged or encoded.
func TestErrorsShowNoPayload(t *testing.T) {
	const said = "pr1vate"
	ev, err := crisp.Decode("message:send", []byte(`{"type":"text","from":"user","content":"`+said+`","fingerprint":"x"}`))
	require.NoError(t, err)
	handler := &crisp.HandlerError{Event: ev, Err: errors.New("no disk"), Stack: []byte("main.go")}
	drift := &crisp.DriftError{Event: ev, Problems: ev.EventMeta().Problems}
	refusal := &crisp.APIError{StatusCode: 400, Reason: "invalid_data", Data: json.RawMessage(`{"content":"` + said + `"}`)}
	require.NotEmpty(t, drift.Problems)
	shownBy := map[error][]any{ // as pointers and as values, by themselves and in what is somebody else's
		handler: {handler, *handler, struct{ E error }{handler}, []crisp.HandlerError{*handler}},
		drift:   {drift, *drift, struct{ E error }{drift}, []crisp.DriftError{*drift}},
		refusal: {refusal, *refusal, struct{ E error }{refusal}, []crisp.APIError{*refusal}},
	}
	for err, values := range shownBy {
		t.Run(fmt.Sprintf("%T", err), func(t *testing.T) {
			assert.NotContains(t, err.Error(), said)
			text, marshalErr := json.Marshal(err)
			require.NoError(t, marshalErr)
			want, _ := json.Marshal(err.Error())
			assert.Equal(t, string(want), string(text))
			for _, v := range values {
				var out bytes.Buffer
				for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
					_, _ = fmt.Fprintf(&out, verb+"\n", v)
				}
				text, marshalErr := json.Marshal(v)
				require.NoError(t, marshalErr)
				out.Write(text)
				_ = xml.NewEncoder(&out).Encode(v)
				slog.New(slog.NewTextHandler(&out, nil)).Info("it", "error", v)
				slog.New(slog.NewJSONHandler(&out, nil)).Info("it", "error", v)
				for _, form := range []string{"%s", "%x", "%X", "%d", "%#v"} {
					bytesOf := []byte(said)
					shown := fmt.Sprintf(form, bytesOf)
					if form == "%d" || form == "%#v" { // a row of numbers, without what is around it
						shown = fmt.Sprintf(map[string]string{"%d": "%d %d %d", "%#v": "%#v, %#v, %#v"}[form], bytesOf[0], bytesOf[1], bytesOf[2])
					}
					assert.NotContains(t, out.String(), shown, "%T as %s", v, form)
				}
			}
		})
	}
}
