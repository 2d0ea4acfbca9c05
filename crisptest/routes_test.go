package crisptest_test

import (
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/rest"
)

// routesBySection returns the routes of docs/rest.md, which are all that are known, by
// its sections, and these in order.
func routesBySection(t *testing.T) (sections []string, routes map[string][]rest.Route) {
	t.Helper()
	known := make(map[string]rest.Route)
	for _, r := range rest.Routes() {
		known[r.Method+" "+r.Path] = r
	}
	guide, err := os.ReadFile("../docs/rest.md")
	require.NoError(t, err)
	routes = make(map[string][]rest.Route)
	for line := range strings.Lines(string(guide)) {
		if name, is := strings.CutPrefix(line, "## "); is {
			sections = append(sections, strings.TrimSpace(name))
		}
		if row := regexp.MustCompile("^\\| `([A-Z]+ [^`]+)` \\|").FindStringSubmatch(line); row != nil {
			section := sections[len(sections)-1]
			routes[section] = append(routes[section], known[row[1]])
			delete(known, row[1])
		}
	}
	require.Empty(t, known, "routes that docs/rest.md lacks")
	return sections, routes
}

// modelled reports whether the server has a route.
func modelled(t *testing.T, srv *crisptest.Server, r rest.Route) bool {
	t.Helper()
	path := regexp.MustCompile(`\{\w+\}`).ReplaceAllString(r.Path, "1")
	call(t, srv, srv.Token(), r.Method, path, "{}")
	requests := srv.Requests()
	last := requests[len(requests)-1]
	assert.NotEqual(t, http.StatusInternalServerError, last.Status, last)
	return !last.NoRoute
}

// The guide says which routes are modelled. When that changes, this test says how the
// table is now.
func TestTheGuideHasTheRoutesThatAreModelled(t *testing.T) {
	srv := crisptest.NewServer(t)
	sections, routes := routesBySection(t)
	table := "| service | routes | modelled | if not all: the calls in Go |\n|---|---|---|---|\n"
	for _, section := range sections {
		var calls []string
		count := 0
		for _, r := range routes[section] {
			if modelled(t, srv, r) {
				count++
				calls = append(calls, "`"+strings.ReplaceAll(r.Call, ", ", "`, `")+"`")
			}
		}
		row := fmt.Sprintf("| %s | %d | %d | %s |\n", section, len(routes[section]), count, strings.Join(calls, ", "))
		if count == len(routes[section]) || count == 0 {
			row = fmt.Sprintf("| %s | %d | %d | |\n", section, len(routes[section]), count)
		}
		table += row
	}
	guide, err := os.ReadFile("../docs/testing.md")
	require.NoError(t, err)
	if !strings.Contains(string(guide), table) {
		t.Errorf("the table of docs/testing.md is to be:\n\n%s", table)
	}
}
