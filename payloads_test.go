package crisp_test

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
)

// testdata/payloads.json holds payloads that were written from what is known of
// the wire, not from the spec that the types are generated from: what the spec
// got wrong shows here.
func TestPayloadsWrittenIndependentlyOfTheSpec(t *testing.T) {
	data, err := os.ReadFile("testdata/payloads.json")
	require.NoError(t, err)
	var cases []struct {
		Event      string
		Payload    json.RawMessage
		Marshalled json.RawMessage // if it is not the payload
	}
	require.NoError(t, json.Unmarshal(data, &cases))
	seen := make(map[string]bool)
	for i, c := range cases {
		seen[c.Event] = true
		t.Run(fmt.Sprintf("%d %s", i, c.Event), func(t *testing.T) {
			ev, err := crisp.Decode(c.Event, c.Payload)
			require.NoError(t, err)
			_, unknown := ev.(*crisp.UnknownEvent)
			assert.False(t, unknown)
			assert.Equal(t, c.Event, ev.EventName())
			assert.Empty(t, ev.EventMeta().Problems)
			assert.Equal(t, string(c.Payload), string(ev.EventMeta().Raw))
			assert.Equal(t, c.Event == "media:animation:listed", ev.EventMeta().WebsiteID == "", "all but one tell their website")

			// Every field has its typed place: nothing is lost on the way back.
			back, err := json.Marshal(ev)
			require.NoError(t, err)
			want := c.Marshalled
			if want == nil {
				want = c.Payload
			}
			assert.JSONEq(t, string(want), string(back))

			// The envelope form decodes to the same.
			enveloped, err := json.Marshal(map[string]any{"website_id": "42286ab3-b29a-4fde-8538-da0ae501d825", "data": c.Payload, "timestamp": 1700000000000})
			require.NoError(t, err)
			ev, err = crisp.Decode(c.Event, enveloped)
			require.NoError(t, err)
			assert.Empty(t, ev.EventMeta().Problems)
			back, err = json.Marshal(ev)
			require.NoError(t, err)
			assert.JSONEq(t, string(want), string(back))
		})
	}
	for _, info := range crisp.Events() {
		assert.True(t, seen[info.Name], "no payload of %s", info.Name)
	}
}
