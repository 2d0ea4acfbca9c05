package scenario

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// people are a scenario's visitors and operators.
type people struct {
	visitors  []*character        // in the order in which the file names them
	groups    map[string][]int    // indices of visitors, by the name of their group
	singles   map[string]int      // index of a visitor, by name
	operators map[string]struct{} // by name
}

// character is a visitor as the file describes them.
type character struct {
	name     string
	nickname string
	email    string // may be empty
}

func newPeople() people {
	return people{groups: map[string][]int{}, singles: map[string]int{}, operators: map[string]struct{}{}}
}

// maxVisitors is how many visitors a scenario may have.
const maxVisitors = 10_000

var nameForm = regexp.MustCompile(`^[a-z][a-z0-9_-]*$`)

// takeName takes a name that is not in use yet.
func (p *parser) takeName(what string) (string, error) {
	t, err := p.take(what)
	if err != nil {
		return "", err
	}
	if t.kind != word || !nameForm.MatchString(t.text) || reserved(t.text) {
		return "", fmt.Errorf("%s is %s; it must be of small letters, digits, - and _, and no word of the language", what, t)
	}
	all := &p.out.people
	_, single := all.singles[t.text]
	_, operator := all.operators[t.text]
	if single || operator || all.groups[t.text] != nil {
		return "", fmt.Errorf("there is a %s already", t.text)
	}
	return t.text, nil
}

// visitor NAME [NICKNAME [EMAIL]]
func (p *parser) visitor() error {
	name, err := p.takeName("the visitor's name")
	if err != nil {
		return err
	}
	c := &character{name: name, nickname: capitalized(name)}
	for _, field := range []*string{&c.nickname, &c.email} {
		if len(p.args) == 0 {
			break
		}
		if *field, err = p.takeQuoted("what follows the name, the nickname and then the email address,"); err != nil {
			return err
		}
	}
	return p.addVisitor(c, func(i int) { p.out.people.singles[name] = i })
}

// visitors GROUP NUMBER
func (p *parser) visitors() error {
	name, err := p.takeName("the group's name")
	if err != nil {
		return err
	}
	number, err := p.takeNumber("the number of visitors", 1, maxVisitors)
	if err != nil {
		return err
	}
	for i := range number {
		c := &character{name: fmt.Sprint(name, i+1), nickname: fmt.Sprint(capitalized(name), " ", i+1)}
		err := p.addVisitor(c, func(i int) { p.out.people.groups[name] = append(p.out.people.groups[name], i) })
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *parser) addVisitor(c *character, index func(int)) error {
	all := &p.out.people
	if len(all.visitors) == maxVisitors {
		return fmt.Errorf("there are more than %d visitors", maxVisitors)
	}
	index(len(all.visitors))
	all.visitors = append(all.visitors, c)
	return nil
}

func (p *parser) operator() error {
	name, err := p.takeName("the operator's name")
	if err == nil {
		p.out.people.operators[name] = struct{}{}
	}
	return err
}

func capitalized(name string) string { return strings.ToUpper(name[:1]) + name[1:] }

// who says which visitor is meant.
type who struct {
	index int    // of a single visitor, if group is empty
	group string // any visitor of this group
	that  bool   // the one of the group that was chosen last, instead of any
}

// takeVisitor takes NAME, any GROUP or that GROUP.
func (p *parser) takeVisitor() (who, error) {
	t, err := p.take("a visitor")
	if err != nil {
		return who{}, err
	}
	if t == (token{word, "any"}) || t == (token{word, "that"}) {
		group, err := p.takeGroup()
		return who{group: group, that: t.text == "that"}, err
	}
	if i, ok := p.out.people.singles[t.text]; ok && t.kind == word {
		return who{index: i}, nil
	}
	if p.out.people.groups[t.text] != nil {
		return who{}, fmt.Errorf("%s is a group: say any %s, or that %s for the one that was chosen last", t.text, t.text, t.text)
	}
	return who{}, fmt.Errorf("there is no visitor %s; %s", t, p.everybody())
}

func (p *parser) takeGroup() (string, error) {
	t, err := p.take("a group of visitors")
	if err != nil {
		return "", err
	}
	if p.out.people.groups[t.text] == nil {
		return "", fmt.Errorf("there is no group %s; %s", t, p.everybody())
	}
	return t.text, nil
}

// everybody lists all visitors, groups and operators for an error.
func (p *parser) everybody() string {
	all := p.out.people
	names := slices.Concat(
		slices.Sorted(maps.Keys(all.singles)),
		slices.Sorted(maps.Keys(all.groups)),
		slices.Sorted(maps.Keys(all.operators)))
	if len(names) == 0 {
		return "there is nobody yet: a line such as visitor ada comes first"
	}
	return "there are " + strings.Join(names, ", ")
}
