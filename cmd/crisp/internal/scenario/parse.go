package scenario

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Parse reads a scenario from a text. name is used in errors, which are *[Error].
func Parse(name, text string) (*Scenario, error) {
	p := &parser{out: &Scenario{Name: name, Speed: 1, people: newPeople()}}
	for number, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if remark, ok := strings.CutPrefix(line, "#"); ok && p.out.Title == "" && len(p.blocks) == 0 && len(p.out.steps) == 0 {
			p.out.Title = strings.TrimSpace(remark)
		}
		p.line = number + 1
		if err := p.readLine(line); err != nil {
			return nil, &Error{Name: name, Line: p.line, Err: err}
		}
	}
	if n := len(p.blocks); n > 0 {
		open := p.blocks[n-1]
		return nil, &Error{Name: name, Line: open.line, Err: fmt.Errorf("%s has no end: a line with end is missing", open.keyword)}
	}
	return p.out, nil
}

// parser reads a scenario line by line.
type parser struct {
	out    *Scenario
	line   int
	blocks []*block // the blocks that have not ended yet, innermost last
	args   []token  // the tokens of the current line that have not been taken yet
}

// block is a statement that contains others.
type block struct {
	keyword string
	line    int
	steps   []step
	closed  func(steps []step) step
}

// maxDepth is how deeply blocks may be nested.
const maxDepth = 20

func (p *parser) readLine(line string) (err error) {
	if p.args, err = split(line); err != nil || len(p.args) == 0 {
		return err
	}
	first := p.args[0]
	if first.kind != word {
		return fmt.Errorf("a line begins with a word, not with %s: %s", first, p.allowed())
	}
	if read, ok := statements[first.text]; ok {
		p.args = p.args[1:]
		err = read(p)
	} else {
		err = p.act()
	}
	if err != nil {
		return err
	}
	return p.nothingLeft()
}

func (p *parser) allowed() string {
	return "it begins with the name of a visitor or an operator, or with " + strings.Join(slices.Sorted(maps.Keys(statements)), ", ")
}

func (p *parser) nothingLeft() error {
	if len(p.args) > 0 {
		return fmt.Errorf("there is something at the end that has no place there: %s", p.args[0])
	}
	return nil
}

// add adds a statement to the innermost block.
func (p *parser) add(s step) {
	if n := len(p.blocks); n > 0 {
		p.blocks[n-1].steps = append(p.blocks[n-1].steps, s)
		return
	}
	p.out.steps = append(p.out.steps, s)
}

// open begins a block.
func (p *parser) open(keyword string, closed func([]step) step) error {
	if len(p.blocks) == maxDepth {
		return fmt.Errorf("there are more than %d blocks in one another", maxDepth)
	}
	p.blocks = append(p.blocks, &block{keyword: keyword, line: p.line, closed: closed})
	return nil
}

// statements parse the rest of a line that begins with a keyword.
var statements map[string]func(*parser) error

func init() { // not in the declaration, since some of them refer to statements
	statements = map[string]func(*parser) error{
		"visitor":   (*parser).visitor,
		"visitors":  (*parser).visitors,
		"operator":  (*parser).operator,
		"speed":     (*parser).speed,
		"seed":      (*parser).seed,
		"wait":      (*parser).wait,
		"await":     (*parser).await,
		"emit":      (*parser).emit,
		"fault":     (*parser).fault,
		"heal":      (*parser).heal,
		"tell":      (*parser).tell,
		"repeat":    (*parser).repeat,
		"each":      (*parser).each,
		"meanwhile": (*parser).meanwhile,
		"sometimes": (*parser).sometimes,
		"end":       (*parser).end,
	}
}

// reserved reports whether a word can't be the name of a visitor or an operator.
func reserved(name string) bool {
	_, is := statements[name]
	return is || slices.Contains([]string{"any", "that", "to", "every", "always"}, name)
}

func (p *parser) end() error {
	n := len(p.blocks)
	if n == 0 {
		return errors.New("end ends nothing: it belongs to repeat, each, meanwhile or sometimes")
	}
	b := p.blocks[n-1]
	p.blocks = p.blocks[:n-1]
	if len(b.steps) == 0 {
		return fmt.Errorf("there is nothing between %s and its end", b.keyword)
	}
	p.add(b.closed(b.steps))
	return nil
}

// take takes the next token. what says in the error which one is missing.
func (p *parser) take(what string) (token, error) {
	if len(p.args) == 0 {
		return token{}, fmt.Errorf("%s is missing", what)
	}
	t := p.args[0]
	p.args = p.args[1:]
	return t, nil
}

// takeIf takes the next token if it is the given word, and reports whether it was.
func (p *parser) takeIf(text string) bool {
	if len(p.args) > 0 && p.args[0] == (token{word, text}) {
		p.args = p.args[1:]
		return true
	}
	return false
}

func (p *parser) takeQuoted(what string) (string, error) {
	t, err := p.take(what)
	if err != nil {
		return "", err
	}
	if t.kind != quoted {
		return "", fmt.Errorf(`%s must be "in quotes", not %s`, what, t)
	}
	return t.text, nil
}

// takeTexts takes quoted texts with | between them; one is chosen each time.
func (p *parser) takeTexts(what string) (texts, error) {
	first, err := p.takeQuoted(what)
	if err != nil {
		return nil, err
	}
	list := texts{first}
	for p.takeIf("|") {
		another, err := p.takeQuoted("another text, behind |,")
		if err != nil {
			return nil, err
		}
		list = append(list, another)
	}
	return list, nil
}

func (p *parser) takeNumber(what string, least, most int) (int, error) {
	t, err := p.take(what)
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(t.text)
	if err != nil || t.kind != word || n < least || n > most {
		return 0, fmt.Errorf("%s is %s; it must be a number from %d to %d", what, t, least, most)
	}
	return n, nil
}

// takeSpan takes a duration, or two with .. between them.
func (p *parser) takeSpan(what string) (span, error) {
	t, err := p.take(what)
	if err != nil {
		return span{}, err
	}
	from, to, isRange := strings.Cut(t.text, "..")
	if !isRange {
		to = from
	}
	least, err1 := parseDuration(from)
	most, err2 := parseDuration(to)
	if t.kind != word || err1 != nil || err2 != nil || least > most {
		return span{}, fmt.Errorf("%s is %s; it must be a time such as 2s or 500ms, or two such as 1s..3s, of which one between is chosen", what, t)
	}
	return span{least, most}, nil
}

func parseDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err == nil && (d < 0 || d > maxSpan) {
		err = errors.New("too long")
	}
	return d, err
}

// maxSpan is the longest duration that a scenario may have.
const maxSpan = 24 * time.Hour

func (p *parser) speed() error {
	t, err := p.take("the number of times")
	if err != nil {
		return err
	}
	times, err := strconv.ParseFloat(strings.TrimSuffix(t.text, "x"), 64)
	if err != nil || !(times >= 0.01 && times <= 10_000) {
		return fmt.Errorf("the speed is %s; it must be a number from 0.01 to 10000", t)
	}
	p.out.Speed = times
	return nil
}

func (p *parser) seed() error {
	t, err := p.take("a number")
	if err != nil {
		return err
	}
	if p.out.Seed, err = strconv.ParseUint(t.text, 10, 64); err != nil || p.out.Seed == 0 {
		return fmt.Errorf("the seed is %s; it must be a number from 1", t)
	}
	return nil
}
