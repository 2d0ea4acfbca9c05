package plot

import (
	"encoding/xml"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files anew")

var pictures = map[string]interface{ SVG() ([]byte, error) }{
	"linear.svg": Bars{Title: "Few & small", Unit: "CPU time, × floor", Bars: []Bar{
		{Name: "the floor, whose name is so long that it takes two lines of text", Value: Value{1, 1, 1}},
		{Name: "this <library>", Value: Value{2.02, 1.9, 2.3}, Own: true},
	}},
	"logarithmic.svg": Bars{Title: "Far apart", Unit: "CPU time, × floor", Bars: []Bar{
		{Name: "less than the floor", Value: Value{0.28, 0.25, 0.3}, Own: true},
		{Name: "the floor", Value: Value{1, 1, 1}},
		{Name: "a peer", Value: Value{27.4, 25, 31}},
		{Name: "another", Note: "takes no part"},
	}},
	"lines.svg": Lines{Title: "Payloads", X: "payload", Y: "× floor", Names: []string{"200 B", "4 KiB", "1 MiB"}, Lines: []Line{
		{Name: "message:send", Values: []Value{{2.4, 2.2, 2.5}, {2.8, 2.7, 3}, {5.6, 5, 6}}},
		{Name: "session:sync:pages", Values: []Value{{2.6, 2.5, 2.7}, {6.1, 6, 6.2}, {12, 11, 14}}},
	}},
}

func TestGolden(t *testing.T) {
	for name, picture := range pictures {
		t.Run(name, func(t *testing.T) {
			svg, err := picture.SVG()
			require.NoError(t, err)
			golden := filepath.Join("testdata", name)
			if *update {
				require.NoError(t, os.WriteFile(golden, svg, 0o600))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			assert.Equal(t, string(want), string(svg))
		})
	}
}

func TestPicturesAreXML(t *testing.T) {
	for name, picture := range pictures {
		svg, err := picture.SVG()
		require.NoError(t, err)
		decoder := xml.NewDecoder(strings.NewReader(string(svg)))
		for err == nil {
			_, err = decoder.Token()
		}
		assert.ErrorIs(t, err, io.EOF, name)
	}
}

func TestAxis(t *testing.T) {
	linear := newAxis([]float64{1, 2.4, 0}, 100, 200)
	assert.False(t, linear.log)
	assert.InDelta(t, 100, linear.at(0), 1e-9)
	assert.InDeltaSlice(t, []float64{0, 0.5, 1, 1.5, 2, 2.5}, linear.ticks(), 1e-9)

	logarithmic := newAxis([]float64{0.28, 1, 30}, 0, 100)
	assert.True(t, logarithmic.log)
	assert.InDeltaSlice(t, []float64{0.5, 1, 2, 5, 10, 20}, logarithmic.ticks(), 1e-9)
	assert.InDelta(t, logarithmic.at(1)-logarithmic.at(0.5), logarithmic.at(10)-logarithmic.at(5), 1e-9)
}
