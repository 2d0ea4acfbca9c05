package eventinfo_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/cmd/crisp/internal/eventinfo"
)

func TestAllEventsAreTold(t *testing.T) {
	all := eventinfo.All()
	assert.Len(t, all, len(crisp.Events()))
	for _, info := range all {
		assert.NotEmpty(t, info.Summary, info.Name)
		assert.NotEmpty(t, info.Tiers, info.Name)
		assert.NotEmpty(t, info.Fields(), info.Name)
		assert.Contains(t, info.Go(), "*crisp."+info.GoType)

		var sample map[string]any
		require.NoError(t, json.Unmarshal(info.Sample(), &sample), info.Name)
		described := make(map[string]bool)
		for _, f := range info.Fields() {
			described[f.Path] = true
			assert.NotEmpty(t, f.Type, "%s: %s", info.Name, f.Path)
		}
		for name := range sample {
			assert.True(t, described[name], "%s: the sample's %s is among no fields", info.Name, name)
		}
	}
}

// A schema refers to nothing that it does not have.
func TestSchemasAreWhole(t *testing.T) {
	for _, info := range eventinfo.All() {
		text := info.Schema()
		var schema struct {
			Title string
			Type  string
			Defs  map[string]json.RawMessage `json:"$defs"`
		}
		require.NoError(t, json.Unmarshal(text, &schema), info.Name)
		assert.Equal(t, info.Name, schema.Title)
		assert.Equal(t, "object", schema.Type)
		for _, part := range strings.Split(string(text), `"$ref":"#/$defs/`)[1:] {
			name, _, _ := strings.Cut(part, `"`)
			assert.Contains(t, schema.Defs, name, info.Name)
		}
		assert.NotContains(t, string(text), "x-crisp")
	}
}

func TestFind(t *testing.T) {
	for _, name := range []string{"session:update_verify", "SessionUpdateVerify", "session:updated"} {
		info, found := eventinfo.Find(name)
		assert.True(t, found, name)
		assert.Equal(t, "session:update_verify", info.Name)
	}
	_, found := eventinfo.Find("session:nothing")
	assert.False(t, found)
}

func TestFields(t *testing.T) {
	info, _ := eventinfo.Find("message:send")
	fields := make(map[string]eventinfo.Field)
	for _, f := range info.Fields() {
		fields[f.Path] = f
	}
	assert.Equal(t, eventinfo.Field{Path: "session_id", Type: "string", Required: true, Description: "Conversation (Crisp's session) that the event belongs to."}, fields["session_id"])
	assert.Equal(t, "string or null", fields["inbox_id"].Type)
	assert.Equal(t, "array of string", fields["mentions"].Type)
	assert.Equal(t, "string or object", fields["content"].Type)
	assert.Equal(t, "string", fields["user.nickname"].Type)
	assert.Equal(t, "string", fields["references[].target"].Type)
	assert.Equal(t, "string", fields["ignored.*.reason"].Type)
}
