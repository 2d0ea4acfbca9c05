package main

import (
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden file anew")

func contents(t testing.TB, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(text)
}

func TestGolden(t *testing.T) {
	const golden = "testdata/small.svg"
	svg, err := draw(contents(t, "testdata/small.txt"))
	require.NoError(t, err)
	if *update {
		require.NoError(t, os.WriteFile(golden, []byte(svg), 0o600))
	}
	assert.Equal(t, contents(t, golden), svg)
}

func TestPictureIsUpToDate(t *testing.T) {
	docs := filepath.Join("..", "..", "..", "docs")
	svg, err := draw(contents(t, filepath.Join(docs, "architecture.txt")))
	require.NoError(t, err)
	assert.Equal(t, contents(t, filepath.Join(docs, "architecture.svg")), svg, "run go generate ./... in the root folder")
}

func TestRun(t *testing.T) {
	const small = "testdata/small.txt"
	want, err := draw(contents(t, small))
	require.NoError(t, err)
	out := filepath.Join(t.TempDir(), "out.svg")

	var stdout strings.Builder
	require.NoError(t, run(nil, strings.NewReader(contents(t, small)), &stdout))
	assert.Equal(t, want, stdout.String())

	stdout.Reset()
	require.NoError(t, run([]string{"-o", out, small}, nil, &stdout))
	assert.Equal(t, want, contents(t, out))
	assert.Empty(t, stdout.String())

	require.ErrorIs(t, run([]string{"testdata/absent.txt"}, nil, &stdout), os.ErrNotExist)
	require.EqualError(t, run([]string{"one", "two"}, nil, &stdout), "2 arguments: at most one is needed, the file to read")
	require.EqualError(t, run([]string{"-o", out}, strings.NewReader("nonsense"), &stdout), `line 1: "nonsense" is no title, box, outside, frame or arrow`)
	assert.Equal(t, want, contents(t, out), "a mistake leaves the picture as it is")
	assert.Empty(t, stdout.String())
}

func TestErrors(t *testing.T) {
	const two = "box a 1,1 A\nbox b 2,1 B\n"
	const square = two + "box c 1,2 C\nbox d 2,2 D\n"
	for name, c := range map[string]struct{ input, want string }{
		"nothing":                {"# only a comment", "line 1: there is no box in the text: at least one is needed"},
		"unknown statement":      {"\nbxo a 1,1 A", `line 2: "bxo a 1,1 A" is no title, box, outside, frame or arrow`},
		"empty title":            {"title", `line 1: "title" is no title, box, outside, frame or arrow`},
		"box without a title":    {"box a 1,1", "line 1: a box has the form: box id column,row title (or first-last,row)"},
		"column 0":               {"box a 0,1 A", "line 1: box a stands outside of the grid: columns are 1 to 5, rows 1 to 20"},
		"column 6":               {"box a 5-6,1 A", "line 1: box a stands outside of the grid: columns are 1 to 5, rows 1 to 20"},
		"columns backwards":      {"box a 2-1,1 A", "line 1: box a stands outside of the grid: columns are 1 to 5, rows 1 to 20"},
		"row 21":                 {"box a 1,21 A", "line 1: box a stands outside of the grid: columns are 1 to 5, rows 1 to 20"},
		"row of many digits":     {"box a 1,99999999999999999999 A", "line 1: box a stands outside of the grid: columns are 1 to 5, rows 1 to 20"},
		"id twice":               {"box a 1,1 A\noutside a 2,1 A", "line 2: box a is in line 1 already"},
		"place twice":            {"box a 1-3,1 A\nbox b 2,1 B", "line 2: box b stands where box a of line 1 does"},
		"text of nothing":        {"  text", "line 1: an indented line is the text of a box, which must stand above"},
		"text far from its box":  {"box a 1,1 A\n\n  text", "line 3: an indented line is the text of a box, and must follow it"},
		"text of an arrow":       {two + "a -> b\n  text", "line 4: an indented line is the text of a box, and must follow it"},
		"too much text":          {"box a 1,1 A\n 1\n 2\n 3\n 4", "line 5: box a has more than 3 lines of text"},
		"title too wide":         {"box a 1,1 " + strings.Repeat("m", 14), "line 1: the title of box a is 204 pixels wide: it has room for 164"},
		"text too wide":          {"box a 1,1 A\n fits\n " + strings.Repeat("m", 20), "line 3: the text is 214 pixels wide: box a has room for 164"},
		"frame without a label":  {two + "frame a b", "line 3: a frame has the form: frame id id…: label"},
		"frame of nothing":       {two + "frame  : label", "line 3: a frame has the form: frame id id…: label"},
		"frame of what is not":   {two + "frame a x: label", "line 3: no box above has the id x"},
		"frame round another":    {two + "box c 3,1 C\nframe a c: label", "line 4: the frame also holds box b"},
		"frame upon a frame":     {two + "frame a: label\nframe a b: label", "line 4: the frame lies upon that of line 3"},
		"label longer":           {two + "frame a: " + strings.Repeat("m", 18), "line 3: the label is longer than the frame"},
		"label longer, upwards":  {square + "frame a c: " + strings.Repeat("m", 18), "line 5: the label is longer than the frame"},
		"arrow to nowhere":       {two + "a -> x", "line 3: no box above has the id x"},
		"arrow from nowhere":     {two + "x -> a", "line 3: no box above has the id x"},
		"arrow to itself":        {two + "a -> a", "line 3: an arrow leads to another box"},
		"arrow without a label":  {two + "a -> b:", `line 3: "a -> b:" is no title, box, outside, frame or arrow`},
		"label of three lines":   {two + "a -> b: 1 / 2 / 3", "line 3: the label of an arrow has at most 2 lines"},
		"straight, but aslant":   {square + "a -> d", "line 5: boxes a and d share neither a row nor a column: an arrow needs a bend, -|> or |->"},
		"bent in a row":          {square + "a -|> b", "line 5: boxes a and b share a row or a column: an arrow is straight, ->"},
		"bent in a column":       {square + "a |-> c", "line 5: boxes a and c share a row or a column: an arrow is straight, ->"},
		"arrow across a box":     {two + "box c 3,1 C\na -> c", "line 4: the arrow crosses box b"},
		"bend upon a box":        {square + "a -|> d", "line 5: the arrow crosses box b"},
		"arrow across a label":   {"box a 1,1 A\nbox b 1,2 B\nframe b: above the middle of b\na -> b", "line 4: the arrow crosses the label of line 3"},
		"label upon boxes":       {two + "a -> b: much too long to fit", "line 3: the label lies upon box a"},
		"label upon a frame":     {two + "box c 1,2 C\nbox d 2,2 D\nframe c: c\na -> c: 1 / 2", "line 6: the label lies upon the edge of the frame of line 5"},
		"label upon a label":     {two + "a -> b: there\nb -> a: back", "line 4: the label lies upon that of line 3"},
		"label out of the image": {"box a 1,1 A\nbox b 1,2 B\na -> b: " + strings.Repeat("m", 20), "line 3: the label does not fit into the picture"},
	} {
		t.Run(name, func(t *testing.T) {
			svg, err := draw(c.input)
			assert.EqualError(t, err, c.want)
			assert.Empty(t, svg)
		})
	}
}

var lineOf = regexp.MustCompile(`^line (\d+): .`)

// Whatever the text is, the outcome is XML, or an error that names a line of it.
func FuzzDraw(f *testing.F) {
	f.Add(contents(f, "testdata/small.txt"))
	f.Add("box a 1,1 A\n\ttext\nbox b 2-3,2 B\na -|> b: x / y\r\nb |-> a")
	f.Add("box a 5,20 \xff\x00<&\nframe a : ]]>")
	f.Fuzz(func(t *testing.T, input string) {
		svg, err := draw(input)
		if err != nil {
			line := lineOf.FindStringSubmatch(err.Error())
			require.NotNil(t, line, err)
			n, err := strconv.Atoi(line[1])
			require.NoError(t, err)
			require.LessOrEqual(t, n, 1+strings.Count(input, "\n"))
			return
		}
		again, err := draw(input)
		require.NoError(t, err)
		require.Equal(t, svg, again)
		for d := xml.NewDecoder(strings.NewReader(svg)); ; {
			_, err := d.Token()
			if errors.Is(err, io.EOF) {
				return
			}
			require.NoError(t, err)
		}
	})
}
