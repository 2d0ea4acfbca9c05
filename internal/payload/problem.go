package payload

import (
	"fmt"
	"slices"
	"strconv"
)

// maxProblems bounds what a payload that is wrong all over can cost.
const maxProblems = 100

// Problem is a value that was not of the type that was asked for.
type Problem struct {
	Path   string // such as "choices[2].label"; empty for the value as a whole
	Wanted string
	Got    string
}

// SyntaxError says where data stop being JSON. It never quotes them.
type SyntaxError struct {
	Offset   int    // of the byte that can't be read
	Expected string // what would have been right there
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("invalid JSON at byte %d: expected %s", e.Offset, e.Expected)
}

// step is one stage of the way from the data's root to the cursor: a member
// of an object or an element of an array. Keys are spelled out only when there
// is a problem to tell.
type step struct {
	pos      int // where the member's name stands, in an object
	index    int // of the element, in an array; noIndex in an object
	problems int // how many there were before the container
}

const noIndex = -2

// problem is a Problem whose path is not spelled out yet.
type problem struct {
	steps       []step
	wanted, got string
}

// Problems lists what was not of the type asked for, in the order of reading,
// at most 100; the last then tells how many more there were. Of a member that
// comes twice only the last counts, for its problems as for its value.
func (d *Decoder) Problems() []Problem {
	if len(d.problems) == 0 {
		return nil
	}
	list := make([]Problem, 0, len(d.problems)+1)
	for _, p := range d.problems {
		list = append(list, Problem{Path: d.path(p.steps), Wanted: p.wanted, Got: p.got})
	}
	if d.dropped > 0 {
		more := Problem{Path: "…", Wanted: "fewer problems", Got: strconv.Itoa(d.dropped) + " more"}
		list = append(list, more)
	}
	return list
}

func (d *Decoder) path(steps []step) string {
	var path []byte
	for _, s := range steps {
		switch {
		case s.index != noIndex:
			path = append(path, '[')
			path = strconv.AppendInt(path, int64(s.index), 10)
			path = append(path, ']')
		case len(path) > 0:
			path = append(path, '.')
			fallthrough
		default:
			path = append(path, d.keyAt(s.pos)...)
		}
	}
	return string(path)
}

// keyAt is the member's name at a position that was read before.
func (d *Decoder) keyAt(pos int) string {
	at := Decoder{data: d.data, pos: pos}
	return at.text()
}

// mismatch skips a value that is not of the wanted type, and notes that unless
// it is a null that may be there.
func (d *Decoder) mismatch(wanted string, p Presence) {
	got := d.Kind()
	d.skip()
	if got == Null && p != Required {
		return
	}
	d.note(wanted, got)
}

// note adds a problem with the value that the cursor has just passed.
func (d *Decoder) note(wanted, got string) {
	if d.err != nil {
		return
	}
	if len(d.problems) == maxProblems-1 { // leave room for the count of the others
		d.dropped++
		return
	}
	var steps []step
	if len(d.outer) > 0 {
		steps = append(slices.Clone(d.outer[1:]), d.at) // the first stands for the root
	}
	d.problems = append(d.problems, problem{steps: steps, wanted: wanted, got: got})
}

// forgetProblems drops the problems of an earlier member of the same name as
// the current one, which replaces it.
func (d *Decoder) forgetProblems(key string) {
	level := len(d.outer) - 1
	kept := slices.DeleteFunc(d.problems[d.at.problems:], func(p problem) bool {
		return d.keyAt(p.steps[level].pos) == key
	})
	d.problems = d.problems[:d.at.problems+len(kept)]
}

// fail notes the first syntax error and moves to the end, where nothing more
// is found.
func (d *Decoder) fail(expected string) {
	if d.err == nil {
		d.err = &SyntaxError{Offset: d.pos, Expected: expected}
	}
	d.pos = len(d.data)
}
