package payload

import (
	"fmt"
	"slices"
	"strconv"
)

// What bounds the cost of a payload in which everything is wrong: how many
// problems are kept, and how many are noted, with those that are forgotten again.
const (
	maxProblems = 100
	maxNotes    = 1000
)

// Problem is a value that was not of the type that was asked for.
type Problem struct {
	Path   string // such as "choices[2].label"; empty for the value as a whole
	Wanted string
	Got    string
}

// SyntaxError says where the data stop being JSON. It never quotes them, because
// they may be private.
type SyntaxError struct {
	Offset   int    // of the first byte that is not valid
	Expected string // what would have been valid there
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("invalid JSON at byte %d: expected %s", e.Offset, e.Expected)
}

// step is one element of the path from the root to the cursor: a member of an
// object or an element of an array. It has the position of the member's name
// instead of the name, which is needed only if there is a problem.
type step struct {
	pos      int // of the member's name, in an object; of the beginning, in an array
	index    int // of the element, in an array; noIndex in an object
	problems int // how many were noted before the container
}

const noIndex = -2

// mismatch is a Problem whose path has not been formatted yet.
type mismatch struct {
	steps       []step
	wanted, got string
}

// Problems returns the values that were not of the type asked for, in the order
// they were read. There are at most 100; the last then says how many more there
// were. Of members of the same name only the last counts, for problems as for
// values.
func (d *Decoder) Problems() []Problem {
	if len(d.problems) == 0 && d.dropped == 0 {
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

// keyAt returns the member's name at a position that was read before.
func (d *Decoder) keyAt(pos int) string {
	reader := Decoder{data: d.data, pos: pos}
	return reader.text()
}

// mismatch skips a value that is not of the wanted type. That is a problem
// unless the value is null, and not the whole.
func (d *Decoder) mismatch(wanted string, p Presence) {
	if d.char() == 'n' && (p != Required || len(d.outer) > 0) {
		d.literal("null")
		return
	}
	got := d.Kind()
	d.skip()
	d.Note(wanted, got)
}

// Note adds a problem of the value that the cursor has just passed.
func (d *Decoder) Note(wanted, got string) {
	if d.err != nil {
		return
	}
	if len(d.problems) == maxProblems-1 || d.notes == maxNotes { // the last place is for the count of the dropped
		d.dropped++
		return
	}
	d.notes++
	var steps []step
	if len(d.outer) > 0 {
		steps = append(slices.Clone(d.outer[1:]), d.step) // outer[0] is the root, which has no name
	}
	d.problems = append(d.problems, mismatch{steps: steps, wanted: wanted, got: got})
}

// forgetProblems removes the problems of an earlier member that has the same
// name as the current one, which replaces it.
func (d *Decoder) forgetProblems(key string) {
	level := len(d.outer) - 1
	kept := slices.DeleteFunc(d.problems[d.step.problems:], func(p mismatch) bool {
		return d.keyAt(p.steps[level].pos) == key
	})
	d.problems = d.problems[:d.step.problems+len(kept)]
}

// fail records the first syntax error and moves to the end of the data, so that
// nothing more is read.
func (d *Decoder) fail(expected string) {
	if d.err == nil {
		d.err = &SyntaxError{Offset: d.pos, Expected: expected}
	}
	d.pos = len(d.data)
}
