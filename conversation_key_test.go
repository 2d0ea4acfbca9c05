package crisp

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// Keys are the same if, and only if, the identifiers are.
func FuzzConversationKey(f *testing.F) {
	const website, session = "42286ab3-b29a-4fde-8538-da0ae501d825", "session_19e5240f-0a8d-461e-a661-a3123fc6eec9"
	f.Add(website, session, website, session)
	f.Add(website, session, session, website)
	f.Add(website, "session_19E5240F-0a8d-461e-a661-a3123fc6eec9", website, session)
	f.Add(website, "session_00000000-0000-0000-0000-000000000000", website, "")
	f.Add("00000000-0000-0000-0000-000000000000", session, "", session)
	f.Add("site", session, "sites", "ession")
	f.Add("1:site", "", "1", ":site")
	f.Add(website, "session_19e5240f-0a8d-461e-a661+a3123fc6eec9", website, "session_19e5240f-0a8d-461e-a661-a3123fc6eeg9")
	f.Fuzz(func(t *testing.T, website, session, otherWebsite, otherSession string) {
		ref, other := SessionRef{WebsiteID: website, SessionID: session}, SessionRef{WebsiteID: otherWebsite, SessionID: otherSession}
		assert.Equal(t, ref, keyOf(ref).ref())
		assert.Equal(t, ref == other, keyOf(ref) == keyOf(other))
		assert.Equal(t, session == otherSession, sessionKeyOf(session) == sessionKeyOf(otherSession))
	})
}

func TestTheUsualConversationKeyNeedsNoMemory(t *testing.T) {
	ref := SessionRef{WebsiteID: "42286ab3-b29a-4fde-8538-da0ae501d825", SessionID: "session_19e5240f-0a8d-461e-a661-a3123fc6eec9"}
	assert.Empty(t, keyOf(ref).other)
	assert.Empty(t, sessionKeyOf(ref.SessionID).other)
	assert.Zero(t, testing.AllocsPerRun(100, func() { _, _ = keyOf(ref), sessionKeyOf(ref.SessionID) }))
}

func BenchmarkConversationKey(b *testing.B) {
	ref := SessionRef{WebsiteID: "42286ab3-b29a-4fde-8538-da0ae501d825", SessionID: "session_19e5240f-0a8d-461e-a661-a3123fc6eec9"}
	b.ReportAllocs()
	for b.Loop() {
		_ = keyOf(ref)
	}
}
