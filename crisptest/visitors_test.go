package crisptest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/rest"
)

// A visitor is on the website from the first page, or from Arrive, until Leave.
func TestVisitorsBrowse(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		ctx, visitors := t.Context(), website(t, srv).Visitors
		one, two := srv.Visitor("w"), srv.Visitor("w")
		srv.Visitor("w2").Visit("Home", "https://other.example/")
		l := listen(t, srv)
		for _, step := range []struct {
			name   string
			do     func()
			count  string // of those who are there, and of those who are active
			listed []string
			event  string // the number in the event
		}{
			{"talk only", func() { one.Say("Hi") }, "0 0", nil, ""},
			{"visit", func() { one.Visit("Home", "https://nova.example/") }, "1 0", []string{"https://nova.example/"}, "1"},
			{"another page", func() { one.Visit("Prices", "https://nova.example/prices") }, "1 0", []string{"https://nova.example/prices"}, ""},
			{"another visitor", two.Arrive, "2 1", []string{"", "https://nova.example/prices"}, "2"},
			{"arrive after visiting", one.Arrive, "2 2", []string{"", "https://nova.example/prices"}, ""},
			{"leave", one.Leave, "1 1", []string{""}, "1"},
			{"leave again", one.Leave, "1 1", []string{""}, ""},
			{"removal", func() { require.NoError(t, website(t, srv).Conversation(two.SessionID).Remove(ctx)) }, "0 0", nil, "0"},
		} {
			step.do()
			count := must[*rest.VisitorCount](t)(visitors.Count(ctx))
			assert.Equal(t, step.count, fmt.Sprint(count.Count, " ", count.Active), step.name)
			var listed []string
			for _, v := range collect(t, visitors.List(ctx)) {
				assert.Empty(t, v.Problems)
				listed = append(listed, v.LastPage.PageURL)
			}
			assert.Equal(t, step.listed, listed, step.name)
			var events []string
			for _, event := range l.events() {
				if strings.HasPrefix(event, "website:") {
					events = append(events, event)
				}
			}
			var want []string
			if step.event != "" {
				want = []string{`website:update_visitors_count {"visitors_count":` + step.event + `,"website_id":"w"}`}
			}
			assert.Equal(t, want, events, step.name)
		}
	})
}

func TestVisitorIsListed(t *testing.T) {
	srv := crisptest.NewServer(t)
	ctx, visitors := t.Context(), website(t, srv).Visitors
	v := srv.Visitor("w")
	v.SetMeta(map[string]any{
		"nickname": "Camille", "email": "camille@nova.example",
		"device": map[string]any{
			"timezone": -120, "locales": []string{"fr"}, "capabilities": []string{"call"}, "system": map[string]any{"useragent": "Mozilla"},
			"geolocation": map[string]any{"country": "FR", "city": "Nantes", "coordinates": map[string]any{"latitude": 47.2, "longitude": -1.55}},
		},
	})
	v.Visit("Prices", "https://nova.example/prices")
	v.Say("Hi")
	list := collect(t, visitors.List(ctx))
	require.Len(t, list, 1)
	one := list[0]
	assert.Empty(t, one.Problems)
	assert.Equal(t, v.SessionID, one.SessionID)
	assert.Equal(t, "Camille camille@nova.example Mozilla Prices Nantes", strings.Join([]string{one.Nickname, one.Email, one.Useragent, one.LastPage.PageTitle, one.Geolocation.City}, " "))
	assert.True(t, one.Initiated)
	assert.False(t, one.Active)
	assert.Equal(t, []string{"fr"}, one.Locales)
	assert.Equal(t, []string{"call"}, one.Capabilities)
	assert.InDelta(t, -120, one.Timezone.Minutes(), 0)

	assert.Equal(t, v.SessionID, must[string](t)(visitors.SessionOfToken(ctx, v.TokenID())))
	_, err := visitors.SessionOfToken(ctx, srv.Visitor("w2").TokenID())
	require.ErrorContains(t, err, "token_not_found")
}

func TestVisitorsOnTheMap(t *testing.T) {
	srv := crisptest.NewServer(t)
	ctx, visitors := t.Context(), website(t, srv).Visitors
	for _, place := range []struct {
		city                string
		latitude, longitude float64
	}{{"Paris", 48.86, 2.35}, {"Paris", 48.86, 2.35}, {"Versailles", 48.8, 2.13}, {"Sydney", -33.87, 151.21}} {
		v := srv.Visitor("w")
		v.SetMeta(map[string]any{"device": map[string]any{"geolocation": map[string]any{
			"city": place.city, "coordinates": map[string]any{"latitude": place.latitude, "longitude": place.longitude},
		}}})
		v.Visit("Home", "https://nova.example/")
	}
	srv.Visitor("w").Visit("Home", "https://nova.example/") // nobody knows where
	points := func(query rest.VisitorsMapQuery) (points []string) {
		for _, point := range must[[]*rest.MapPoint](t)(visitors.Map(ctx, query)) {
			assert.Empty(t, point.Problems)
			assert.Len(t, point.Visitors.Sessions, point.Visitors.Count)
			points = append(points, fmt.Sprint(point.Geolocation.City, " ", point.Visitors.Count))
		}
		return points
	}
	near := func(radius int) rest.VisitorsMapQuery {
		return rest.VisitorsMapQuery{CenterLatitude: rest.Set(48.86), CenterLongitude: rest.Set(2.35), CenterRadius: radius}
	}
	assert.Equal(t, []string{"Paris 2", "Versailles 1", "Sydney 1"}, points(rest.VisitorsMapQuery{}))
	assert.Equal(t, []string{"Paris 2"}, points(near(10)))
	assert.Equal(t, []string{"Paris 2", "Versailles 1"}, points(near(20)), "Versailles is 17 km away")
	assert.Equal(t, []string{"Paris 2", "Versailles 1"}, points(near(16_900)))
	assert.Equal(t, []string{"Paris 2", "Versailles 1", "Sydney 1"}, points(near(17_000)), "Sydney is 16,960 km away")
}

func TestBlockedVisitors(t *testing.T) {
	srv := crisptest.NewServer(t)
	ctx, visitors := t.Context(), website(t, srv).Visitors
	srv.BlockVisitors("w", "country", 2)
	srv.BlockVisitors("w", "ip", 1)
	srv.BlockVisitors("w", "country", 3)
	counts := func() (counts []string) {
		for _, one := range must[[]*rest.BlockedVisitors](t)(visitors.Blocked(ctx)) {
			assert.Empty(t, one.Problems)
			counts = append(counts, fmt.Sprint(one.Rule, one.Blocked))
		}
		return counts
	}
	assert.Equal(t, []string{"[ip] 1", "[country] 5"}, counts())
	assert.Equal(t, 5, must[*rest.BlockedVisitors](t)(visitors.BlockedBy(ctx, "country")).Blocked)
	require.NoError(t, visitors.ClearBlocked(ctx, "country"))
	assert.Equal(t, []string{"[ip] 1"}, counts())
	assert.Zero(t, must[*rest.BlockedVisitors](t)(visitors.BlockedBy(ctx, "country")).Blocked)
}
