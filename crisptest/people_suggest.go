package crisptest

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
)

// What the suggestions are of, by the member that names one in REST.
const (
	suggestedSegment = "segment"
	suggestedKey     = "key"
	suggestedEvent   = "text"
)

// personal is something that REST suggests for contacts, because some have it.
type personal struct{ websiteID, kind, name string }

// suggested returns the suggestions of a kind as REST lists them: what most
// contacts have comes first.
func (all *people) suggested(websiteID, kind string) []map[string]any {
	counts := make(map[string]int)
	for _, p := range all.of(websiteID) {
		for _, name := range p.suggests(kind) {
			counts[name]++
		}
	}
	list := []map[string]any{}
	for name, count := range counts {
		if _, forgotten := all.forgotten.Get(personal{websiteID, kind, name}); !forgotten {
			list = append(list, map[string]any{kind: name, "count": count})
		}
	}
	slices.SortFunc(list, func(a, b map[string]any) int {
		return cmp.Or(cmp.Compare(b["count"].(int), a["count"].(int)), cmp.Compare(a[kind].(string), b[kind].(string)))
	})
	return list
}

// suggests returns the names of a kind that the contact has, an event as often as
// it happened.
func (p *liveProfile) suggests(kind string) []string {
	switch kind {
	case suggestedSegment:
		return p.segments()
	case suggestedKey:
		return slices.Collect(maps.Keys(p.data))
	default:
		return p.eventNames()
	}
}

func (p *liveProfile) eventNames() []string {
	names := make([]string, 0, len(p.events))
	for _, raw := range p.events {
		var event struct {
			Text string `json:"text"`
		}
		_ = json.Unmarshal(raw, &event) // its shape was checked
		names = append(names, event.Text)
	}
	return names
}

// forgetSuggestion ceases to suggest a name until it is written again.
func (all *people) forgetSuggestion(websiteID, kind, name string) {
	all.forgotten.Put(personal{websiteID, kind, name}, struct{}{})
}

// remind suggests names again that were written.
func (all *people) remind(websiteID, kind string, names ...string) {
	for _, name := range names {
		all.forgotten.Delete(personal{websiteID, kind, name})
	}
}
