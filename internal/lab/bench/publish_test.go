package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/internal/lab/bench/plot"
)

// measured is a result of a library that costs so many times the floor.
func measured(name string, load workload, ratio float64) result {
	load.Events = 100
	floors := []usage{{CPU: 1, Wall: 1}}
	return summarize(library(name, load, setup{}), []usage{{CPU: ratio, Wall: ratio, Allocs: 300, Bytes: 900}}, floors)
}

func TestRowTellsOfLostOrder(t *testing.T) {
	r := summarize(contestant{name: "a peer", task: task{Load: workload{Events: 100}}}, []usage{{CPU: 1, Wall: 1, Disordered: 12}}, []usage{{CPU: 1, Wall: 1}})
	assert.Contains(t, r.row(), "| a peer, 12 % of the events not right behind the one sent before |")
	assert.Contains(t, r.row(), "| – | – |")
}

func TestRunsAreCompared(t *testing.T) {
	files := [2]string{filepath.Join(t.TempDir(), "before.json"), filepath.Join(t.TempDir(), "after.json")}
	for i, ratio := range []float64{3, 2} {
		b := bench{record: newFigures(options{rounds: 1, events: 100})}
		require.NoError(t, b.publish(new(strings.Builder), "readers", "Client", []result{
			measured("library", workload{}, ratio),
			{contestant: contestant{name: "peer"}, trouble: "crashes"},
		}))
		b.record.add("latency", "library", row{Values: map[string]figure{"p50_us": {median: 1}}})
		require.NoError(t, b.record.write(files[i]))
	}
	var out strings.Builder
	require.NoError(t, compare(&out, files[0], files[1]))
	assert.Contains(t, out.String(), "\n| readers | library | 3.00 | 2.00 | 3.00 | 3.00 | 9.00 | 9.00 |\n")
	assert.NotContains(t, out.String(), "peer")

	require.NoError(t, os.WriteFile(files[0], []byte("no"), 0o600))
	assert.ErrorContains(t, compare(&out, files[0], files[1]), "before.json has no figures")
	assert.NoError(t, new(figures).write(""))
}

func TestTablesAreDrawn(t *testing.T) {
	results := []result{
		measured("**this library**, `typed`", workload{Event: "message:send", Size: 600}, 2),
		measured("16 at a time", workload{Event: "message:send", Size: 1 << 20}, 3),
		measured("pages", workload{Event: "session:sync:pages", Size: 600}, 4),
		measured("pages", workload{Event: "session:sync:pages", Size: 1 << 20}, 5),
	}
	for _, table := range []string{"readers", "sizes", "concurrency", "hooks", "hooks16"} {
		folder := t.TempDir()
		b := bench{options: options{plots: folder}}
		require.NoError(t, b.draw(table, results))
		assert.FileExists(t, filepath.Join(folder, table+".svg"))
	}
	assert.Nil(t, pictureOf("footprint", results))
	assert.NoError(t, bench{}.draw("readers", results), "no folder, no picture")

	lines := sizeLines(results)
	assert.Equal(t, []string{"600 B", "1 MiB"}, lines.Names)
	require.Len(t, lines.Lines, 2)
	assert.Equal(t, plot.Line{Name: "session:sync:pages", Values: []plot.Value{{Median: 4, Low: 4, High: 4}, {Median: 5, Low: 5, High: 5}}}, lines.Lines[1])
	assert.Equal(t, "this library, typed", bars("", "", results, func(r result) figure { return r.ratio }).Bars[0].Name)
	assert.Equal(t, []string{"16", "pages", "pages"}, concurrencyLines(results[1:]).Names)
}

func TestNumbersHaveTheDigitsOfMeasurements(t *testing.T) {
	for value, want := range map[float64]string{
		0.456: "0.46", 12.34: "12.3", 999.6: "1,000", 1306: "1,306", 339_764: "340,000", 2_953_401: "2,950,000",
	} {
		assert.Equal(t, want, significant(value))
	}
}

func TestEmbedReplacesTheTable(t *testing.T) {
	page := "# Page\n\n<!-- bench readers -->\n\n| old |\n|---|\n| row |\n\nText.\n\n<!-- bench sizes -->\n\n| kept |\n"
	changed, err := embed(page, "readers", "\n| new |\n")
	require.NoError(t, err)
	assert.Equal(t, "# Page\n\n<!-- bench readers -->\n\n| new |\n\nText.\n\n<!-- bench sizes -->\n\n| kept |\n", changed)
	changed, err = embed(page, "sizes", "| new |")
	require.NoError(t, err)
	assert.True(t, strings.HasSuffix(changed, "<!-- bench sizes -->\n\n| new |\n"))
	_, err = embed(page, "absent", "")
	assert.ErrorContains(t, err, "no line says <!-- bench absent -->")
}

// The page of the documentation has a place for each table.
func TestThePageHasAllTables(t *testing.T) {
	page, err := os.ReadFile("../../../docs/performance.md")
	require.NoError(t, err)
	for _, table := range tables() {
		_, err := embed(string(page), table.name, "| |")
		assert.NoError(t, err)
	}
}
