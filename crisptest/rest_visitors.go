package crisptest

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/crisp-go/crisp"
)

// visitorRoutes adds the routes of those who are on a website.
func (s *Server) visitorRoutes(handle addRoute) {
	const website = "website/{website}/visitors/"
	handle("GET", website+"count", s.onSite(countVisitors))
	handle("GET", website+"list/{page}", s.onSite(listVisitors))
	handle("GET", website+"map", s.onSite(mapVisitors))
	handle("GET", website+"token/{token}", s.onSite(getSessionOfToken))
	handle("GET", website+"blocked", requireTier(crisp.TierUser, s.onSite(listBlocked)))
	handle("GET", website+"blocked/{rule}", requireTier(crisp.TierUser, s.onSite(getBlocked)))
	handle("DELETE", website+"blocked/{rule}", requireTier(crisp.TierUser, s.onSite(clearBlocked)))
}

func countVisitors(_ restCall, w *site) restReply {
	there := w.present()
	active := 0
	for _, c := range there {
		if c.Availability == string(crisp.AvailabilityOnline) {
			active++
		}
	}
	return success("resolved", map[string]any{"count": len(there), "active": active, "limited": false})
}

func listVisitors(call restCall, w *site) restReply {
	var list []document
	for _, c := range slices.Backward(w.present()) {
		list = append(list, c.visitorForm())
	}
	return pageReply(call, list)
}

// mapPoint is a place with the visitors who are there, as REST returns it.
type mapPoint struct {
	Visitors struct {
		Count    int        `json:"count"`
		Sessions []document `json:"sessions"`
	} `json:"visitors"`
	Geolocation document `json:"geolocation"`
}

// mapVisitors lists the places where visitors are: all, or those within a number of
// kilometres.
func mapVisitors(call restCall, w *site) restReply {
	wanted, ok := parseArea(call.URL.Query())
	if !ok {
		return invalid
	}
	points := []*mapPoint{}
	index := make(map[coordinates]*mapPoint)
	for _, c := range w.present() {
		at, known := c.place()
		if !known || !wanted(at) {
			continue
		}
		point := index[at]
		if point == nil {
			point = &mapPoint{Geolocation: c.geolocation()}
			points, index[at] = append(points, point), point
		}
		point.Visitors.Count++
		point.Visitors.Sessions = append(point.Visitors.Sessions, c.visitorForm())
	}
	return success("listed", points)
}

// parseArea returns what reports whether a place is in the area that is asked for.
func parseArea(query url.Values) (wanted func(coordinates) bool, ok bool) {
	var values []float64
	for _, key := range []string{"center_longitude", "center_latitude", "center_radius"} {
		if !query.Has(key) {
			continue
		}
		n, err := strconv.ParseFloat(query.Get(key), 64)
		if err != nil {
			return nil, false
		}
		values = append(values, n)
	}
	if len(values) == 0 {
		return func(coordinates) bool { return true }, true
	}
	if len(values) < 3 {
		return nil, false
	}
	center := coordinates{longitude: values[0], latitude: values[1]}
	return func(at coordinates) bool { return center.distance(at) <= values[2] }, true
}

func getSessionOfToken(call restCall, w *site) restReply {
	for _, c := range w.conversations() {
		if tokenID(c.WebsiteID, c.SessionID) == call.PathValue("token") {
			return success("resolved", map[string]any{"session_id": c.SessionID})
		}
	}
	return refusal(http.StatusNotFound, "token_not_found")
}

func blockedForm(rule string, visitors int) document {
	return document{"rule": []string{rule}, "blocked": visitors}
}

func listBlocked(_ restCall, w *site) restReply {
	list := []document{}
	for rule, visitors := range w.blocked.All() {
		list = append(list, blockedForm(rule, visitors))
	}
	slices.Reverse(list)
	return success("resolved", list)
}

func getBlocked(call restCall, w *site) restReply {
	rule := call.PathValue("rule")
	visitors, _ := w.blocked.Get(rule)
	return success("resolved", blockedForm(rule, visitors))
}

func clearBlocked(call restCall, w *site) restReply {
	w.blocked.Delete(call.PathValue("rule"))
	return success("deleted", struct{}{})
}
