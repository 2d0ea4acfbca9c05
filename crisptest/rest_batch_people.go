package crisptest

import (
	"bytes"
	"io"
	"slices"

	"github.com/crisp-go/crisp"
)

// The bodies that the batch routes take of contacts.
var (
	batchSearchShape = either(filled, object(members{"filter": peopleFilters}, members{"operator": oneOf("and", "or")}))
	batchPeople      = either(
		object(members{"profiles": listOf(1, filled)}, members{"search": null}),
		object(members{"search": batchSearchShape}, members{"profiles": null}))
	ofPeople                 = object(members{"people": something}, nil)
	peopleBatchShape         = object(members{"people": batchPeople}, members{"sessions": null})
	peopleBatchDataShape     = object(members{"people": batchPeople, "data": mapOf(scalar)}, members{"sessions": null})
	peopleBatchSegmentsShape = object(members{"people": batchPeople, "segments": textList}, members{"sessions": null})
)

// batchRoutesOfPeople adds those batch routes that take contacts, too, in the place of
// conversations.
func (s *Server) batchRoutesOfPeople(handle addRoute) {
	patch := func(path string, conversations, people restHandler) {
		handle("PATCH", "website/{website}/batch/"+path, eitherBody(ofPeople, people, conversations))
	}
	patch("remove",
		requireTier(crisp.TierUser, s.batch(batchShape, func(c *liveConversation, _ document) { c.remove() })),
		requireTier(crisp.TierUser, s.batchOfPeople(peopleBatchShape, func(p *liveProfile, _ peopleBatch) { p.remove() })))
	patch("data",
		s.batch(batchDataShape, func(c *liveConversation, body document) { c.setMeta(map[string]any{"data": body["data"]}) }),
		s.batchOfPeople(peopleBatchDataShape, func(p *liveProfile, body peopleBatch) { p.updateData(body.Data) }))
	patch("segments",
		s.batch(batchSegmentsShape, func(c *liveConversation, body document) {
			c.setMeta(map[string]any{"segments": body["segments"]})
		}),
		s.batchOfPeople(peopleBatchSegmentsShape, func(p *liveProfile, body peopleBatch) {
			p.update(map[string]any{"segments": body.Segments})
		}))
}

// eitherBody answers a call one way if its body has the shape, and else another.
func eitherBody(is shape, one, other restHandler) restHandler {
	return func(call restCall) restReply {
		body, err := io.ReadAll(call.Body)
		if err != nil {
			return invalid
		}
		call.Body = io.NopCloser(bytes.NewReader(body))
		if is.fits(body) {
			return one(call)
		}
		return other(call)
	}
}

// peopleBatch is the body of a request that changes many contacts.
type peopleBatch struct {
	People struct {
		Profiles []string `json:"profiles"`
		Search   any      `json:"search"` // text, or an object of "filter" and "operator"
	} `json:"people"`
	Data     map[string]any `json:"data"`
	Segments []any          `json:"segments"`
}

// batchOfPeople answers a call that changes the contacts of a list, or else those that
// a search finds. Those that are not there are passed over.
func (s *Server) batchOfPeople(is shape, change func(p *liveProfile, body peopleBatch)) restHandler {
	return s.onSite(func(call restCall, w *site) restReply {
		var body peopleBatch
		if !call.decodeExactly(is, &body) {
			return invalid
		}
		for _, p := range s.people.chosen(w.id, body) {
			change(p, body)
		}
		return success("updated", struct{}{})
	})
}

// chosen returns the contacts that a batch is of.
func (all *people) chosen(websiteID string, body peopleBatch) []*liveProfile {
	if body.People.Search != nil {
		search := searchOf(body.People.Search)
		return search.find(all.of(websiteID))
	}
	return slices.DeleteFunc(all.of(websiteID), func(p *liveProfile) bool {
		return !slices.ContainsFunc(body.People.Profiles, func(id string) bool { return all.find(websiteID, id) == p })
	})
}
