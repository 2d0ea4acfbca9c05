package rest

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
)

// profilesPage is a page of 50 contacts, each with every field.
func profilesPage(b *testing.B) []byte {
	b.Helper()
	text, err := os.ReadFile("testdata/examples.json")
	require.NoError(b, err)
	var examples map[string]json.RawMessage
	require.NoError(b, json.Unmarshal(text, &examples))
	var page []json.RawMessage
	require.NoError(b, json.Unmarshal(examples["GET website/{website_id}/people/profiles/{page}"], &page))
	all := make([]string, 50)
	for i := range all {
		all[i] = strings.Replace(string(page[0]), `"people_id":"`, fmt.Sprintf(`"people_id":"%d-`, i), 1)
	}
	return []byte("[" + strings.Join(all, ",") + "]")
}

// Compare the time per byte with that of BenchmarkEvent.
func BenchmarkPageOfProfiles(b *testing.B) {
	page := profilesPage(b)
	b.SetBytes(int64(len(page)))
	b.ReportAllocs()
	for b.Loop() {
		raws, ok := elements(page)
		require.True(b, ok)
		for _, raw := range raws {
			if p := decode[Profile](raw); p.Problems != nil {
				b.Fatal(p.Problems)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(page)), "ns/B")
}

func BenchmarkEvent(b *testing.B) {
	page := profilesPage(b)
	raws, ok := elements(page)
	require.True(b, ok)
	payload := []byte(`{"website_id":"w1","people_id":"p1","update":` + string(raws[0]) + `}`)
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := crisp.Decode("people:profile:updated", payload); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(payload)), "ns/B")
}
