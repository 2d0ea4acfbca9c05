//go:build !race

package operations

import (
	"log/slog"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	rulesFile = "../../docs/operations/alerts.yml"
	guideFile = "../../docs/operations.md"

	// interval is that of scrapes and of the evaluation of rules.
	interval = 15 * time.Second
)

var promQL = parser.NewParser(parser.Options{})

// readRules reads the rules as promtool does.
func readRules(t *testing.T) []rulefmt.Rule {
	t.Helper()
	groups, errs := rulefmt.ParseFile(rulesFile, false, model.UTF8Validation, promQL, slog.New(slog.DiscardHandler))
	require.Empty(t, errs)
	var all []rulefmt.Rule
	for _, group := range groups.Groups {
		all = append(all, group.Rules...)
	}
	require.NotEmpty(t, all)
	return all
}

func newEngine() *promql.Engine {
	return promql.NewEngine(promql.EngineOpts{
		Logger: slog.New(slog.DiscardHandler), MaxSamples: 1 << 22, Timeout: time.Minute, LookbackDelta: 5 * time.Minute, Parser: promQL,
	})
}

// firing is when an alert fired first, and its summary then.
type firing struct {
	at      time.Time
	summary string
}

// evaluate evaluates all rules over a history, as Prometheus does while it goes on.
func evaluate(t *testing.T, h *history) map[string]firing {
	t.Helper()
	return evaluateSince(t, h, h.samples[0].at)
}

// evaluateSince is evaluate from a time on.
func evaluateSince(t *testing.T, h *history, since time.Time) map[string]firing {
	t.Helper()
	engine, storage := newEngine(), h.store(t)
	defer func() { assert.NoError(t, engine.Close()) }()
	query := rules.EngineQueryFunc(engine, storage)
	fired := make(map[string]firing)
	for _, rule := range readRules(t) {
		expr, err := promQL.ParseExpr(rule.Expr)
		require.NoError(t, err, rule.Alert)
		alert := rules.NewAlertingRule(rule.Alert, expr, time.Duration(rule.For), time.Duration(rule.KeepFiringFor), labels.FromMap(rule.Labels),
			labels.FromMap(rule.Annotations), labels.EmptyLabels(), "", true, slog.New(slog.DiscardHandler))
		for at := since; !at.After(h.samples[len(h.samples)-1].at); at = at.Add(interval) {
			_, err := alert.Eval(t.Context(), 0, at, query, new(url.URL), 0)
			require.NoError(t, err, rule.Alert)
			active := alert.ActiveAlerts()
			if i := slices.IndexFunc(active, func(a *rules.Alert) bool { return a.State == rules.StateFiring }); i >= 0 {
				fired[rule.Alert] = firing{at, active[i].Annotations.Get("summary")}
				break
			}
		}
	}
	return fired
}

// TestEachAlertHasWhatItNeeds looks at the labels, and at the guide.
func TestEachAlertHasWhatItNeeds(t *testing.T) {
	guide, err := os.ReadFile(guideFile)
	require.NoError(t, err)
	seen := make(map[string]bool)
	for _, rule := range readRules(t) {
		assert.False(t, seen[rule.Alert], "%s twice", rule.Alert)
		seen[rule.Alert] = true
		assert.Contains(t, []string{"critical", "warning"}, rule.Labels["severity"], rule.Alert)
		assert.NotEmpty(t, rule.Annotations["summary"], rule.Alert)
		assert.Equal(t, "https://github.com/crisp-go/crisp/blob/main/docs/operations.md#"+strings.ToLower(rule.Alert), rule.Annotations["runbook_url"])
		assert.Contains(t, string(guide), "\n### "+rule.Alert+"\n", "its entry in the guide")
	}
	var described []string
	for line := range strings.SplitSeq(string(guide), "\n") {
		if name, ok := strings.CutPrefix(line, "### Crisp"); ok {
			described = append(described, "Crisp"+name)
		}
	}
	assert.ElementsMatch(t, slices.Collect(maps.Keys(seen)), described)
}

// TestTheRunbookQuotesTheLog looks for what it quotes in what the library logs.
func TestTheRunbookQuotesTheLog(t *testing.T) {
	guide, err := os.ReadFile(guideFile)
	require.NoError(t, err)
	_, runbook, _ := strings.Cut(string(guide), "\n## What to do\n")
	runbook, _, _ = strings.Cut(runbook, "\n## ")
	var source strings.Builder
	for _, pattern := range []string{"../../*.go", "../../bridge/*.go"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, file := range files {
			if text, err := os.ReadFile(file); assert.NoError(t, err) && !strings.HasSuffix(file, "_test.go") {
				source.Write(text)
			}
		}
	}
	quotes := regexp.MustCompile(`"[^"]+"`).FindAllString(strings.ReplaceAll(runbook, "\n", " "), -1)
	require.GreaterOrEqual(t, len(quotes), 5)
	for _, quote := range quotes {
		for part := range strings.SplitSeq(strings.Trim(quote, `"`), "…") {
			assert.True(t, strings.Contains(source.String(), part), quote) //nolint:testifylint // which would print all of it
		}
	}
}

// TestEachAlertHasAFault compares the rules with the table of faults.
func TestEachAlertHasAFault(t *testing.T) {
	var named []string
	for _, rule := range readRules(t) {
		named = append(named, rule.Alert)
	}
	assert.ElementsMatch(t, named, slices.Collect(maps.Keys(faults)))
}

// assertMetricsExist asserts that what a query asks for is exported, with the labels that it names.
func assertMetricsExist(t *testing.T, h *history, query string) {
	t.Helper()
	expr, err := promQL.ParseExpr(query)
	require.NoError(t, err, query)
	names := h.names()
	known := make(map[string]bool) // labels of any of the metrics
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		if selector, ok := node.(*parser.VectorSelector); ok {
			assert.True(t, names[selector.Name], "%s of %s", selector.Name, query)
			has := h.labelsOf(selector.Name)
			maps.Copy(known, has)
			for _, matcher := range selector.LabelMatchers {
				assert.True(t, has[matcher.Name] || matcher.Name == model.MetricNameLabel, "%s{%s}", selector.Name, matcher.Name)
			}
		}
		return nil
	})
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		if aggregation, ok := node.(*parser.AggregateExpr); ok {
			for _, label := range aggregation.Grouping {
				assert.True(t, known[label], "%s in %s", label, query)
			}
		}
		return nil
	})
}
