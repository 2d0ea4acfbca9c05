package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	maxColumns = 5
	maxRows    = 20
	maxText    = 3 // lines in a box, below its title
	maxLabel   = 2 // lines beside an arrow
)

// diagram is what a text describes, and where place puts it.
type diagram struct {
	title         string
	boxes         []*box
	frames        []*frame
	arrows        []*arrow
	width, height int
}

type box struct {
	rect
	line        int // of the text
	id, title   string
	first, last int // columns
	row         int
	outside     bool
	text        []string
	textLine    int // of the last of these
}

type frame struct {
	rect
	line  int
	boxes []*box
	label caption
}

type arrow struct {
	line     int
	from, to *box
	shape    shape
	text     []string
	points   []point
	labels   []caption
}

// shape is the sign of an arrow.
type shape string

const (
	straight    shape = "->"
	acrossFirst shape = "-|>"
	downFirst   shape = "|->"
)

// at is an error in a line.
func at(line int, format string, args ...any) error {
	return fmt.Errorf("line %d: %w", line, fmt.Errorf(format, args...))
}

var (
	boxForm   = regexp.MustCompile(`^([\w-]+) +(\d+)(?:-(\d+))?,(\d+) +(.+)$`)
	frameForm = regexp.MustCompile(`^([\w -]+): +(.+)$`)
	arrowForm = regexp.MustCompile(`^([\w-]+) +(->|-\|>|\|->) +([\w-]+)(?:: +(.+))?$`)
)

func parse(input string) (*diagram, error) {
	d := &diagram{}
	line := 0
	for raw := range strings.SplitSeq(input, "\n") {
		line++
		text := strings.TrimSpace(raw)
		if text == "" || text[0] == '#' {
			continue
		}
		var err error
		if raw[0] == ' ' || raw[0] == '\t' {
			err = d.addText(line, text)
		} else {
			err = d.addStatement(line, text)
		}
		if err != nil {
			return nil, err
		}
	}
	if len(d.boxes) == 0 {
		return nil, at(line, "there is no box in the text: at least one is needed")
	}
	return d, nil
}

func (d *diagram) addText(line int, text string) error {
	if len(d.boxes) == 0 {
		return at(line, "an indented line is the text of a box, which must stand above")
	}
	b := d.boxes[len(d.boxes)-1]
	if previous := max(b.line, b.textLine); previous != line-1 {
		return at(line, "an indented line is the text of a box, and must follow it")
	}
	if len(b.text) == maxText {
		return at(line, "box %s has more than %d lines of text", b.id, maxText)
	}
	b.text, b.textLine = append(b.text, text), line
	return nil
}

func (d *diagram) addStatement(line int, text string) error {
	word, rest, _ := strings.Cut(text, " ")
	rest = strings.TrimSpace(rest)
	switch arrow := arrowForm.FindStringSubmatch(text); {
	case arrow != nil:
		return d.addArrow(line, arrow)
	case word == "box", word == "outside":
		return d.addBox(line, boxForm.FindStringSubmatch(rest), word == "outside")
	case word == "frame":
		return d.addFrame(line, frameForm.FindStringSubmatch(rest))
	case word == "title" && rest != "":
		d.title = rest
		return nil
	}
	return at(line, "%.40q is no title, box, outside, frame or arrow", text)
}

func (d *diagram) addBox(line int, parts []string, outside bool) error {
	if parts == nil {
		return at(line, "a box has the form: box id column,row title (or first-last,row)")
	}
	b := &box{line: line, id: parts[1], title: parts[5], outside: outside}
	if parts[3] == "" {
		parts[3] = parts[2]
	}
	var errs [3]error
	b.first, errs[0] = strconv.Atoi(parts[2])
	b.last, errs[1] = strconv.Atoi(parts[3])
	b.row, errs[2] = strconv.Atoi(parts[4])
	if errors.Join(errs[:]...) != nil || b.first < 1 || b.last < b.first || b.last > maxColumns || b.row < 1 || b.row > maxRows {
		return at(line, "box %s stands outside of the grid: columns are 1 to %d, rows 1 to %d", b.id, maxColumns, maxRows)
	}
	for _, other := range d.boxes {
		if other.id == b.id {
			return at(line, "box %s is in line %d already", b.id, other.line)
		}
		if other.row == b.row && other.last >= b.first && other.first <= b.last {
			return at(line, "box %s stands where box %s of line %d does", b.id, other.id, other.line)
		}
	}
	d.boxes = append(d.boxes, b)
	return nil
}

func (d *diagram) addFrame(line int, parts []string) error {
	if parts == nil {
		return at(line, "a frame has the form: frame id id…: label")
	}
	f := &frame{line: line, label: caption{line: line, text: parts[2]}}
	for _, id := range strings.Fields(parts[1]) {
		b, err := d.find(line, id)
		if err != nil {
			return err
		}
		f.boxes = append(f.boxes, b)
	}
	if len(f.boxes) == 0 {
		return at(line, "a frame needs a box")
	}
	d.frames = append(d.frames, f)
	return nil
}

func (d *diagram) addArrow(line int, parts []string) error {
	from, err := d.find(line, parts[1])
	if err != nil {
		return err
	}
	to, err := d.find(line, parts[3])
	if err != nil {
		return err
	}
	a := &arrow{line: line, from: from, to: to, shape: shape(parts[2])}
	if parts[4] != "" {
		a.text = strings.Split(parts[4], " / ")
	}
	if len(a.text) > maxLabel {
		return at(line, "the label of an arrow has at most %d lines", maxLabel)
	}
	sameRow, sameColumn := from.row == to.row, from.first <= to.last && to.first <= from.last
	switch {
	case from == to:
		return at(line, "an arrow leads to another box")
	case a.shape == straight && !sameRow && !sameColumn:
		return at(line, "boxes %s and %s share neither a row nor a column: an arrow needs a bend, -|> or |->", from.id, to.id)
	case a.shape != straight && (sameRow || sameColumn):
		return at(line, "boxes %s and %s share a row or a column: an arrow is straight, ->", from.id, to.id)
	}
	d.arrows = append(d.arrows, a)
	return nil
}

func (d *diagram) find(line int, id string) (*box, error) {
	i := slices.IndexFunc(d.boxes, func(b *box) bool { return b.id == id })
	if i < 0 {
		return nil, at(line, "no box above has the id %s", id)
	}
	return d.boxes[i], nil
}
