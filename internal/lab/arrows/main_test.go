package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

const head = `| package | hand-written files | arrows | pairs that point at each other | files in the largest knot | knots |
|---|---:|---:|---:|---:|---|
`

func TestOutput(t *testing.T) {
	const (
		tidy = head + `| root | 3 | 3 | 1 | 2 | 2 files: methods of Client |
| internal/delivery | 2 | 1 | 0 | 0 |  |
`
		tool    = "| internal/lab/tool | 2 | 1 | 0 | 0 |  |\n"
		payload = "| internal/payload | 1 | 0 | 0 | 0 |  |\n"
		imports = `
* root → internal/delivery
* internal/delivery → internal/payload
`
		toolImports = "* internal/lab/tool → root\n"
		files       = `
## root

* client.go → send.go: send
* send.go → client.go: Client, calls, queue
* send.go → limits.go: limit

## internal/delivery

* queue.go → lane.go: lane, items, wake, total, first, and 3 more
`
		tangled = head + `| root | 5 | 5 | 1 | 3 | a.go b.go c.go; d.go e.go |
| internal/delivery | 1 | 0 | 0 | 0 |  |
| internal/payload | 1 | 0 | 0 | 0 |  |
| internal/words | 1 | 0 | 0 | 0 |  |

* root → internal/words
* internal/payload → internal/words
* internal/words → internal/delivery
`
		layers = "a lower layer imports an upper one: internal/payload → internal/words → internal/delivery"
		knots  = `
root has a knot that is more than the methods of one type: a.go b.go c.go
root has a knot that is more than the methods of one type: d.go e.go`
	)
	for name, c := range map[string]struct{ args, want, err string }{
		"programs are left out": {args: "testdata/tidy", want: tidy + payload + imports},
		"unless all is wanted":  {args: "-all testdata/tidy", want: tidy + tool + payload + imports + toolImports},
		"files":                 {args: "-files testdata/tidy", want: tidy + payload + imports + files},
		"methods of one type":   {args: "-strict testdata/tidy", want: tidy + payload + imports},
		"layers":                {args: "testdata/tangled", want: tangled, err: layers},
		"knots":                 {args: "-strict testdata/tangled", want: tangled, err: layers + knots},
		"knots that may be":     {args: "-strict -except root testdata/tangled", want: tangled, err: layers},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			err := run(strings.Fields(c.args), &out)
			assert.Equal(t, c.want, out.String())
			if c.err == "" {
				assert.NoError(t, err)
			} else {
				assert.EqualError(t, err, c.err)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	for args, want := range map[string]string{
		"one two":         "2 arguments: at most one is needed, the folder of a module",
		"testdata/absent": "no such file or directory",
		"testdata/broken": "undefined: nothing",
	} {
		var out strings.Builder
		assert.ErrorContains(t, run(strings.Fields(args), &out), want)
		assert.Empty(t, out.String())
	}
}

// A layer may import any of those below it, and not all of them need exist.
func TestCheckLayers(t *testing.T) {
	for name, c := range map[string]struct {
		imports map[string]string
		want    []string
	}{
		"nothing":   {},
		"downwards": {imports: map[string]string{root: "internal/payload internal/delivery", "internal/backfill": "internal/delivery"}},
		"beside":    {imports: map[string]string{"internal/delivery": "internal/fifo", "internal/fifo": "", "crisptest": root}},
		"upwards": {
			imports: map[string]string{"internal/delivery": "internal/backfill", "internal/backfill": "internal/payload"},
			want:    []string{"internal/delivery → internal/backfill"},
		},
		"the shortest way": {
			imports: map[string]string{"internal/payload": "internal/text internal/any", "internal/text": "internal/any", "internal/any": root},
			want:    []string{"internal/payload → internal/any → root"},
		},
		"several": {
			imports: map[string]string{"internal/payload": "internal/delivery", "internal/delivery": root},
			want: []string{
				"internal/delivery → root",
				"internal/payload → internal/delivery → root",
				"internal/payload → internal/delivery",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var packages []*pkg
			for name, imports := range c.imports {
				packages = append(packages, &pkg{name: name, imports: strings.Fields(imports)})
			}
			var want []string
			for _, way := range c.want {
				want = append(want, "a lower layer imports an upper one: "+way)
			}
			if err := checkLayers(packages); want == nil {
				assert.NoError(t, err)
			} else {
				assert.EqualError(t, err, strings.Join(want, "\n"))
			}
		})
	}
}

func TestKnots(t *testing.T) {
	p := &pkg{files: strings.Split("a b c d e f g", " "), arrows: make(arrows)}
	for _, arrow := range strings.Fields("ab bc ca cd de ed fa ag") {
		p.use(arrow[:1], arrow[1:], "x")
	}
	assert.Equal(t, [][]string{{"a", "b", "c"}, {"d", "e"}}, p.knots())
	all, pairs := p.arrows.size()
	assert.Equal(t, 8, all)
	assert.Equal(t, 1, pairs)
}
