package crisptest

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Whatever a client sends, it is parsed or refused.
func FuzzParsePacket(f *testing.F) {
	for _, seed := range []string{
		"0", `0{"token":"x"}`, "0/admin,", "1", `2["a",{"b":1},2]`, `212["a"]`, `2/admin,3["a"]`, `3[]`, `312[true]`,
		`451-["a",{"_placeholder":true,"num":0}]`, `51-["a"]`, `5["a"]`, `5999-["a"]`, "2", "2[", "2{}", "7", "",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := parsePacket(text)
		if err != nil {
			return
		}
		assert.Equal(t, text[0], p.kind)
		require.NotEmpty(t, p.namespace)
		assert.Equal(t, byte('/'), p.namespace[0])
		assert.True(t, len(p.data) == 0 || json.Valid(p.data))
		if name, argument, err := p.event(); err == nil {
			again, err := parsePacket(eventFrame(name, argument)[1:])
			require.NoError(t, err)
			sameName, _, err := again.event()
			require.NoError(t, err)
			assert.Equal(t, name, sameName)
		}
	})
}
