package crisptest

import (
	"cmp"
	"maps"
	"net/http"
	"slices"

	"github.com/crisp-go/crisp/internal/fifo"
)

// suggestions is what a website no longer suggests, with how often it was used when
// that was said: it is suggested again once it is used more.
type suggestions struct {
	segments, data *fifo.Map[string, int]
}

func newSuggestions(history int) suggestions {
	return suggestions{segments: fifo.New[string, int](history), data: fifo.New[string, int](history)}
}

// suggestionRoutes adds the routes of the segments and keys of data that a website's
// conversations have.
func (s *Server) suggestionRoutes(handle addRoute) {
	const suggest = "website/{website}/conversations/suggest/"
	segments := suggested{
		name:   "segment",
		member: "segment",
		of:     func(c *liveConversation) []string { return document(c.Meta).texts("segments") },
		hidden: func(w *site) *fifo.Map[string, int] { return w.hidden.segments },
	}
	handle("GET", suggest+"segments/{page}", s.onSite(segments.list))
	handle("DELETE", suggest+"segment", s.onSite(segments.forget))
	data := suggested{
		name:   "data",
		member: "key",
		of:     func(c *liveConversation) []string { return slices.Collect(maps.Keys(document(c.Meta).object("data"))) },
		hidden: func(w *site) *fifo.Map[string, int] { return w.hidden.data },
	}
	handle("GET", suggest+"data/{page}", s.onSite(data.list))
	handle("DELETE", suggest+"data", s.onSite(data.forget))
}

// suggested is a kind of values that REST suggests for a conversation because others have
// them already.
type suggested struct {
	name   string // in reasons
	member string // of the answers and bodies
	of     func(*liveConversation) []string
	hidden func(*site) *fifo.Map[string, int]
}

// count returns how many conversations have each.
func (kind suggested) count(w *site) map[string]int {
	counts := make(map[string]int)
	for _, c := range w.conversations() {
		for _, value := range kind.of(c) {
			counts[value]++
		}
	}
	return counts
}

// list lists what most conversations have first.
func (kind suggested) list(call restCall, w *site) restReply {
	counts := kind.count(w)
	var list []document
	for _, value := range slices.Sorted(maps.Keys(counts)) {
		if before, _ := kind.hidden(w).Get(value); counts[value] > before {
			list = append(list, document{kind.member: value, "count": counts[value]})
		}
	}
	slices.SortStableFunc(list, func(a, b document) int { return cmp.Compare(b["count"].(int), a["count"].(int)) })
	return pageReply(call, list)
}

func (kind suggested) forget(call restCall, w *site) restReply {
	var body document
	if !call.decode(object(members{kind.member: filled}, nil), &body) {
		return invalid
	}
	value := body.text(kind.member)
	count := kind.count(w)[value]
	if before, _ := kind.hidden(w).Get(value); count <= before {
		return refusal(http.StatusNotFound, kind.name+"_not_found")
	}
	kind.hidden(w).Put(value, count)
	return success("deleted", struct{}{})
}
