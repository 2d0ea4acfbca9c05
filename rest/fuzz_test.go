package rest

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Whatever comes as an answer, reading it ends, keeps all of it, and comes to the same
// as reading it without white space.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"people_id":"p1","email":"ada@example.com","person":{"nickname":"Ada","profiles":[{"type":"x"}]},"score":0.5}`))
	f.Add([]byte(`{"people_id":7,"person":[],"company":{"phones":"+1","metrics":{"arr":"many"}},"created_at":"soon"}`))
	f.Add([]byte(`[null]`))
	f.Add([]byte(`{"person": {"geolocation": {"coordinates": 1e999}}, "person": null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if !json.Valid(data) {
			return // Client.Do lets no such data through
		}
		p := decode[Profile](data)
		assert.Equal(t, data, []byte(p.Raw))
		compact, err := json.Marshal(json.RawMessage(data))
		require.NoError(t, err)
		same := decode[Profile](compact)
		p.Raw, same.Raw = nil, nil
		assert.Equal(t, p, same)
	})
}
