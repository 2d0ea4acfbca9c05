package crisp_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

func TestEverySampleDecodes(t *testing.T) {
	require.Len(t, crisp.Events(), 82)
	for _, info := range crisp.Events() {
		t.Run(info.Name, func(t *testing.T) {
			ev := crisptest.Sample(info.Name)
			meta := ev.EventMeta()
			assert.Equal(t, info.Name, ev.EventName())
			assert.Empty(t, meta.Problems)
			again, err := json.Marshal(ev)
			require.NoError(t, err)
			assert.JSONEq(t, string(meta.Raw), string(again))
		})
	}
}
