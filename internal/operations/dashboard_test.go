//go:build !race

package operations

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	grafana "github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
	"github.com/prometheus/prometheus/promql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/bridge"
)

const dashboardFile = "../../docs/operations/dashboard.json"

// panel is the part of a panel that is tested and drawn.
type panel struct {
	ID          int
	Type        string
	Title       string
	Description string
	GridPos     struct{ X, Y, W, H int }
	Options     json.RawMessage
	FieldConfig struct {
		Defaults struct {
			Unit   string
			Custom json.RawMessage
		}
	}
	Targets []json.RawMessage
}

// query is one of a panel.
type query struct{ Expr, LegendFormat string }

func (p *panel) queries(t *testing.T) (all []query) {
	t.Helper()
	for _, raw := range p.Targets {
		var q query
		require.NoError(t, json.Unmarshal(raw, &q))
		all = append(all, q)
	}
	return all
}

func readDashboard(t *testing.T) (raw []byte, panels []panel) {
	t.Helper()
	raw, err := os.ReadFile(dashboardFile)
	require.NoError(t, err)
	var d struct{ Panels []panel }
	require.NoError(t, json.Unmarshal(raw, &d))
	require.NotEmpty(t, d.Panels)
	return raw, d.Panels
}

// classic is the form that every Grafana imports.
type classic = dashboard.Dashboard //nolint:staticcheck // the newer form is for the newest alone

// TestTheDashboardHasGrafanasSchema reads it by the types that Grafana makes of its own schema, strictly.
func TestTheDashboardHasGrafanasSchema(t *testing.T) {
	plugins.RegisterDefaultPlugins()
	raw, panels := readDashboard(t)
	var d classic
	require.Empty(t, problems(d.UnmarshalJSONStrict(raw)))
	require.NoError(t, d.Validate())
	for _, p := range panels {
		switch p.Type {
		case "row":
			continue
		case "timeseries":
			require.Empty(t, problems(new(timeseries.Options).UnmarshalJSONStrict(p.Options)), p.Title)
			require.Empty(t, problems(new(timeseries.FieldConfig).UnmarshalJSONStrict(p.FieldConfig.Defaults.Custom)), p.Title)
		case "stat":
			require.Empty(t, problems(new(stat.Options).UnmarshalJSONStrict(p.Options)), p.Title)
		default:
			assert.Fail(t, "another type of panel", p.Type)
		}
		for _, target := range p.Targets {
			require.Empty(t, problems(new(grafana.Dataquery).UnmarshalJSONStrict(target)), p.Title)
		}
	}
}

// problems returns the single problems in an error of Grafana's types, which may also be a list of none.
func problems(err error) []string {
	var all []string
	if several := (cog.BuildErrors)(nil); errors.As(err, &several) {
		for _, e := range several {
			all = append(all, e.Error())
		}
	} else if err != nil {
		all = append(all, err.Error())
	}
	return all
}

// TestGrafanasSchemaIsStrict shows that a mistake in a dashboard is found.
func TestGrafanasSchemaIsStrict(t *testing.T) {
	plugins.RegisterDefaultPlugins()
	raw, _ := readDashboard(t)
	for name, change := range map[string][2]string{
		"a field of the dashboard": {`"schemaVersion": 41`, `"schemaVersions": 41`},
		"a field of a panel":       {`"gridPos": {`, `"gridPosition": {`},
		"a type":                   {`"refresh": 1`, `"refresh": "often"`},
		"a query":                  {`"legendFormat": `, `"legend": `},
		"a variable":               {`"includeAll": false`, `"includeAl": false`},
		"a place":                  {`"w": 24`, `"w": "24"`},
	} {
		broken := strings.ReplaceAll(string(raw), change[0], change[1])
		require.NotEqual(t, string(raw), broken, name)
		assert.NotEmpty(t, problems(new(classic).UnmarshalJSONStrict([]byte(broken))), name)
	}
}

// TestPanelsLieSideBySide checks what no schema does, such as that panels don't overlap.
func TestPanelsLieSideBySide(t *testing.T) {
	_, panels := readDashboard(t)
	ids, taken := make(map[int]bool), make(map[[2]int]string)
	for _, p := range panels {
		assert.False(t, ids[p.ID], "the ID of %q twice", p.Title)
		ids[p.ID] = true
		assert.LessOrEqual(t, p.GridPos.X+p.GridPos.W, 24, p.Title)
		if p.Type != "row" {
			assert.NotEmpty(t, p.Description, p.Title)
			assert.NotEmpty(t, p.Targets, p.Title)
		}
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				cell := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
				assert.Empty(t, taken[cell], p.Title)
				taken[cell] = p.Title
			}
		}
	}
}

// evening is a scene in which much goes wrong, for all queries to have something to show.
var evening = sync.OnceValue(func() func(t *testing.T) *history {
	var h *history
	return func(t *testing.T) *history {
		t.Helper()
		if h == nil {
			h, _ = play(t, set{rtm: []crisp.RTMOption{crisp.WithBackfill(crisp.Backfill{}), crisp.WithQueue(20<<10, crisp.OverflowDrop)}}, inTheEvening)
		}
		return h
	}
})

func inTheEvening(s *scene) {
	s.quota.Store(10_000)
	s.pass(10 * time.Minute)
	s.srv.TakeDown() // Crisp's RTM API is away
	s.pass(6 * time.Minute)
	s.srv.BringUp()
	s.quota.Store(8000)
	s.pass(15 * time.Minute)
	s.does(func(context.Context, crisp.Event) error { return errors.New("the database is away") })
	s.pass(8 * time.Minute)
	s.does(func(ctx context.Context, ev crisp.Event) error { // it comes back, and is slow
		if _, bridged := bridge.MessageOf(ctx); bridged {
			return takes(20*time.Second)(ctx, ev)
		}
		return takes(3*time.Second)(ctx, ev)
	})
	s.pass(10 * time.Minute)
	for range 100 { // a flood
		s.visitor.Say("again")
	}
	s.pass(5 * time.Minute)
	s.does(takes(50 * time.Millisecond))
	s.log.Fail(errAway)
	s.pass(6 * time.Minute)
	s.log.Fail(nil)
	s.srv.FailREST(429, 12, 2*time.Second)
	s.hook("another secret")
	s.quota.Store(3000)
	s.pass(20 * time.Minute)
}

// expression is a query as Grafana sends it.
func expression(expr string) string {
	return strings.NewReplacer("$job", "crisp", "$instance", ".*", "$__rate_interval", "1m").Replace(expr)
}

// series runs a query over a history, with a point for each scrape.
func series(t *testing.T, engine *promql.Engine, h *history, expr string) promql.Matrix {
	t.Helper()
	q, err := engine.NewRangeQuery(t.Context(), h.store(t), nil, expression(expr), h.samples[0].at, h.samples[len(h.samples)-1].at, interval)
	require.NoError(t, err, expr)
	defer q.Close()
	result := q.Exec(t.Context())
	require.NoError(t, result.Err, expr)
	matrix, err := result.Matrix()
	require.NoError(t, err, expr)
	return copyOf(matrix)
}

// copyOf returns a copy of a matrix that is still valid after its query is closed.
func copyOf(matrix promql.Matrix) promql.Matrix {
	all := make(promql.Matrix, len(matrix))
	for i, s := range matrix {
		all[i] = promql.Series{Metric: s.Metric, Floats: append([]promql.FPoint(nil), s.Floats...)}
	}
	return all
}

var inBraces = regexp.MustCompile(`\{\{(\w+)\}\}`)

// TestEachQueryOfTheDashboardShowsSomething runs them over an evening.
func TestEachQueryOfTheDashboardShowsSomething(t *testing.T) {
	_, panels := readDashboard(t)
	h, engine := evening()(t), newEngine()
	defer func() { assert.NoError(t, engine.Close()) }()
	for _, p := range panels {
		for _, q := range p.queries(t) {
			assertMetricsExist(t, h, expression(q.Expr))
			result := series(t, engine, h, q.Expr)
			assert.NotEmpty(t, result, "%s: %s", p.Title, q.Expr)
			for _, name := range inBraces.FindAllStringSubmatch(q.LegendFormat, -1) {
				found := false
				for _, s := range result {
					found = found || s.Metric.Has(name[1])
				}
				assert.True(t, found, "%s: no %s in %s", p.Title, name[1], q.Expr)
			}
			most := 0.0
			for _, s := range result {
				for _, point := range s.Floats {
					if !math.IsNaN(point.F) {
						most = max(most, point.F)
					}
				}
			}
			assert.Positive(t, most, "%s: %s", p.Title, q.Expr)
		}
	}
}

// TestEachMetricIsOnTheDashboard, or is one that needs no panel of its own.
func TestEachMetricIsOnTheDashboard(t *testing.T) {
	raw, _ := readDashboard(t)
	for name := range evening()(t).names() {
		base := strings.NewReplacer("_bucket", "", "_sum", "", "_count", "").Replace(name)
		switch base {
		case "up", "target_info", "crisp_backfill_gaps_total", "crisp_backfill_requests_total":
			continue
		}
		assert.Contains(t, string(raw), base)
	}
}

// TestTheGuideNamesMetricsThatExist looks at the table of what to watch, and at whatever else the guide has in backquotes.
func TestTheGuideNamesMetricsThatExist(t *testing.T) {
	guide, err := os.ReadFile(guideFile)
	require.NoError(t, err)
	names := evening()(t).names()
	found := regexp.MustCompile("`((?:crisp|messaging|http_client)_[a-z_]+)").FindAllStringSubmatch(string(guide), -1)
	require.Greater(t, len(found), 15)
	for _, name := range found {
		assert.True(t, names[name[1]] || names[name[1]+"_bucket"], name[1])
	}
}
