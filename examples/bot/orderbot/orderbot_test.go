package orderbot

import (
	"maps"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
)

func TestDialogue(t *testing.T) {
	text := func(s string) crisp.Content { return crisp.TextContent(s) }
	for name, tt := range map[string]struct {
		before   dialogue
		said     crisp.Content
		answer   string // its beginning
		handOver bool
		after    dialogue
	}{
		"greeting":         {dialogue{}, text("Hi"), "Hello, I am a bot.", false, dialogue{Greeted: true}},
		"order at once":    {dialogue{}, text("where is 1234?"), "Order 1234 is on its way", false, dialogue{Greeted: true, Order: "1234"}},
		"the order again":  {dialogue{Greeted: true, Order: "5678"}, text("When did my ORDER come?"), "Order 5678 was", false, dialogue{Greeted: true, Order: "5678"}},
		"understood again": {dialogue{Greeted: true, Misses: 2}, text("1234"), "Order 1234", false, dialogue{Greeted: true, Order: "1234"}},
		"unknown order":    {dialogue{Greeted: true}, text("9999"), "I did not find that.", false, dialogue{Greeted: true, Misses: 1}},
		"no order":         {dialogue{Greeted: true}, text("my order"), "I did not find that.", false, dialogue{Greeted: true, Misses: 1}},
		"too many misses":  {dialogue{Greeted: true, Misses: 2}, text("what?"), "I am afraid", true, dialogue{Greeted: true}},
		"a person, please": {dialogue{Greeted: true}, text("can I talk to a HUMAN?"), "Of course", true, dialogue{Greeted: true}},
		"humanity":         {dialogue{Greeted: true}, text("humanity"), "I did not find that.", false, dialogue{Greeted: true, Misses: 1}},
		"a file":           {dialogue{}, &crisp.FileContent{Name: "a.pdf"}, "I can't look at that", true, dialogue{}},
	} {
		t.Run(name, func(t *testing.T) {
			d := tt.before
			answer, handOver := d.answer(tt.said)
			assert.Contains(t, answer, tt.answer)
			assert.Equal(t, tt.handOver, handOver)
			assert.Equal(t, tt.after, d)
		})
	}
}

func TestMemoryForgetsOldConversations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "state.json")
		m, err := LoadMemory(path)
		require.NoError(t, err)
		ref := func(id string) crisp.SessionRef { return crisp.SessionRef{WebsiteID: "site-1", SessionID: id} }
		m.update(ref("old"), func(d *dialogue) { d.Order = "1" })
		time.Sleep(forgetAfter) // virtual time
		m.update(ref("new"), func(d *dialogue) { d.Order = "2" })
		time.Sleep(time.Minute)
		require.NoError(t, m.save(maps.All(map[crisp.SessionRef]time.Time{})))

		m, err = LoadMemory(path)
		require.NoError(t, err)
		assert.Empty(t, m.Order(ref("old")))
		assert.Equal(t, "2", m.Order(ref("new")))
	})
}

func TestWhatACrashHasLeftIsOverwritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	require.NoError(t, os.WriteFile(path+".tmp", []byte(`[{"session`), 0o600))
	m, err := LoadMemory(path)
	require.NoError(t, err)
	require.NoError(t, m.save(maps.All(map[crisp.SessionRef]time.Time{})))
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, entries, 1)
	assert.Equal(t, "state", entries[0].Name())
	_, err = LoadMemory(path)
	assert.NoError(t, err)
}
