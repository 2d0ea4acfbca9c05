package crisptest

import (
	"crypto/sha256"
	"fmt"
	"math"
	"slices"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/internal/fifo"
)

// VisitorEvent is something that a visitor did on a website.
type VisitorEvent struct {
	Text      string         `json:"text"`
	Data      map[string]any `json:"data,omitempty"`
	Color     string         `json:"color,omitempty"`
	Timestamp int64          `json:"timestamp"` // when it was done, in milliseconds
}

// maxEvents is how many events a conversation has at most.
const maxEvents = 100

// Trigger adds an event to those of the visitor, with data that may be nil and are
// what encoding/json can encode; otherwise Trigger panics. It sends
// session:sync:events.
func (v *Visitor) Trigger(text string, data map[string]any) {
	data = plain(data)
	v.do(func(c *liveConversation) {
		ev := VisitorEvent{Text: text, Data: data, Timestamp: c.server.now().UnixMilli()}
		c.Events = slices.Insert(c.Events[:min(len(c.Events), maxEvents-1)], 0, ev)
		c.emit("session:sync:events", map[string]any{"events": c.Events})
	})
}

// TokenID returns the token by which a website's chat recognises the visitor, and
// from which REST returns the visitor's session ID.
func (v *Visitor) TokenID() string { return tokenID(v.WebsiteID, v.SessionID) }

func tokenID(websiteID, sessionID string) string {
	sum := sha256.Sum256([]byte(websiteID + " " + sessionID))
	return fmt.Sprintf("%x-%x-4%03x-8%03x-%x", sum[:4], sum[4:6], int(sum[6])<<4, int(sum[7])<<4, sum[8:14])
}

// setPresent records that the visitor has come to the website, or left it, and
// sends how many there are now.
func (c *liveConversation) setPresent(present bool) {
	if c.present == present {
		return
	}
	c.present = present
	w := c.server.site(c.WebsiteID)
	w.emit("website:update_visitors_count", map[string]any{"visitors_count": len(w.present())})
}

// present returns the conversations of those who are on the website, in the order they
// were created.
func (w *site) present() []*liveConversation {
	return slices.DeleteFunc(w.conversations(), func(c *liveConversation) bool { return !c.present })
}

// visitors is what a website knows of its visitors beside their conversations.
type visitors struct {
	blocked *fifo.Map[string, int] // how many, by rule
}

func newVisitors(history int) visitors { return visitors{blocked: fifo.New[string, int](history)} }

// BlockVisitors counts visitors whom a rule of the website has kept out of its
// chat, such as "country". Crisp does not document the rules there are.
func (s *Server) BlockVisitors(websiteID, rule string, visitors int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.site(websiteID)
	before, _ := w.blocked.Get(rule)
	w.blocked.Put(rule, before+visitors)
}

// visitorForm returns the visitor of the conversation as REST lists visitors.
func (c *liveConversation) visitorForm() document {
	device := document(c.Meta).object("device")
	form := document{
		"session_id": c.SessionID,
		"inbox_id":   orNull(c.InboxID),
		"initiated":  len(c.Messages) > 0,
		"active":     c.Availability == string(crisp.AvailabilityOnline),
	}
	for _, name := range []string{"nickname", "email", "avatar"} {
		form[name] = c.Meta[name]
	}
	for _, name := range []string{"geolocation", "timezone", "capabilities", "locales"} {
		if v, ok := device[name]; ok {
			form[name] = v
		}
	}
	if useragent := device.object("system").text("useragent"); useragent != "" {
		form["useragent"] = useragent
	}
	if len(c.Pages) > 0 {
		form["last_page"] = document{"page_title": c.Pages[0].Title, "page_url": c.Pages[0].URL}
	}
	return form
}

// coordinates are a place on the earth, in degrees.
type coordinates struct{ longitude, latitude float64 }

// geolocation returns what is known of where the visitor is.
func (c *liveConversation) geolocation() document {
	return document(c.Meta).object("device").object("geolocation")
}

// place returns where the visitor is, if that is known.
func (c *liveConversation) place() (at coordinates, ok bool) {
	place := c.geolocation().object("coordinates")
	return coordinates{place.number("longitude"), place.number("latitude")}, place != nil
}

// distance returns the kilometres between two places.
func (at coordinates) distance(other coordinates) float64 {
	const radians, earth = math.Pi / 180, 6371
	lat1, lat2 := at.latitude*radians, other.latitude*radians
	h := haversine(lat2-lat1) + math.Cos(lat1)*math.Cos(lat2)*haversine((other.longitude-at.longitude)*radians)
	return 2 * earth * math.Asin(math.Sqrt(min(h, 1)))
}

func haversine(angle float64) float64 { return math.Pow(math.Sin(angle/2), 2) }
