package scenario

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/crisp-go/crisp/crisptest"
)

// act reads a line that begins with a visitor or an operator.
func (p *parser) act() error {
	first := p.args[0]
	if _, ok := p.out.people.operators[first.text]; ok {
		p.args = p.args[1:]
		return p.operatorAct(first.text)
	}
	_, single := p.out.people.singles[first.text]
	if !single && p.out.people.groups[first.text] == nil && first.text != "any" && first.text != "that" {
		return fmt.Errorf("there is no %s; %s; otherwise a line begins with %s", first, p.everybody(), strings.Join(slices.Sorted(maps.Keys(statements)), ", "))
	}
	doer, err := p.takeVisitor()
	if err != nil {
		return err
	}
	verb, err := p.take("what the visitor does")
	if err != nil {
		return fmt.Errorf("%w: %s", err, verbs(visitorVerbs))
	}
	read, ok := visitorVerbs[verb.text]
	if !ok {
		return fmt.Errorf("a visitor can't %s; a visitor %s", verb, verbs(visitorVerbs))
	}
	do, err := read(p)
	if err != nil {
		return err
	}
	p.add(actStep{doer, do})
	return nil
}

func (p *parser) operatorAct(name string) error {
	verb, err := p.take("what the operator does")
	if err != nil {
		return fmt.Errorf("%w: %s", err, verbs(operatorVerbs))
	}
	read, ok := operatorVerbs[verb.text]
	if !ok {
		return fmt.Errorf("an operator can't %s; an operator %s", verb, verbs(operatorVerbs))
	}
	with, err := p.takeVisitor()
	if err != nil {
		return err
	}
	do, err := read(p)
	if err != nil {
		return err
	}
	p.add(actStep{with, func(v *crisptest.Visitor, t *thread) { do(t.run.server.Operator(name), v, t) }})
	return nil
}

// verbs lists verbs for an error.
func verbs[T any](all map[string]T) string {
	return strings.Join(slices.Sorted(maps.Keys(all)), ", ")
}

// visitorDo is what a visitor does.
type visitorDo func(v *crisptest.Visitor, t *thread)

// visitorVerbs parse the rest of a line after a visitor's verb.
var visitorVerbs = map[string]func(*parser) (visitorDo, error){
	"arrives": simply((*crisptest.Visitor).Arrive),
	"leaves":  simply((*crisptest.Visitor).Leave),
	"reads":   simply((*crisptest.Visitor).Read),
	"stops": func(p *parser) (visitorDo, error) {
		if !p.takeIf("typing") {
			return nil, fmt.Errorf("behind stops comes typing")
		}
		return simply((*crisptest.Visitor).StopTyping)(p)
	},
	"opens": func(p *parser) (visitorDo, error) {
		title, err := p.takeQuoted("the page's title")
		if err != nil {
			return nil, err
		}
		url, err := p.take("the page's URL")
		return func(v *crisptest.Visitor, _ *thread) { v.Visit(title, url.text) }, err
	},
	"types": func(p *parser) (visitorDo, error) {
		list, err := p.takeTexts("what is typed")
		return func(v *crisptest.Visitor, t *thread) { v.Type(t.choose(list)) }, err
	},
	"says": func(p *parser) (visitorDo, error) {
		list, err := p.takeTexts("what is said")
		return func(v *crisptest.Visitor, t *thread) { v.Say(t.choose(list)) }, err
	},
	"sends": func(p *parser) (visitorDo, error) {
		kind, content, err := p.takeContent()
		return func(v *crisptest.Visitor, _ *thread) { v.Send(kind, content) }, err
	},
	"sets": func(p *parser) (visitorDo, error) {
		name, content, err := p.takeMeta()
		return func(v *crisptest.Visitor, _ *thread) { v.SetMeta(map[string]any{name: content}) }, err
	},
	"rates": func(p *parser) (visitorDo, error) {
		stars, err := p.takeNumber("the number of stars", 0, 5)
		if err != nil || len(p.args) == 0 {
			return func(v *crisptest.Visitor, _ *thread) { v.Rate(stars, "") }, err
		}
		list, err := p.takeTexts("the comment")
		return func(v *crisptest.Visitor, t *thread) { v.Rate(stars, t.choose(list)) }, err
	},
}

func simply(do func(*crisptest.Visitor)) func(*parser) (visitorDo, error) {
	return func(*parser) (visitorDo, error) {
		return func(v *crisptest.Visitor, _ *thread) { do(v) }, nil
	}
}

// operatorDo is what an operator does.
type operatorDo func(o *crisptest.Operator, v *crisptest.Visitor, t *thread)

// operatorVerbs parse the rest of a line after an operator's verb and the visitor.
var operatorVerbs = map[string]func(*parser) (operatorDo, error){
	"answers": func(p *parser) (operatorDo, error) {
		list, err := p.takeTexts("the answer")
		return func(o *crisptest.Operator, v *crisptest.Visitor, t *thread) { o.Say(v, t.choose(list)) }, err
	},
	"notes": func(p *parser) (operatorDo, error) {
		list, err := p.takeTexts("the note")
		return func(o *crisptest.Operator, v *crisptest.Visitor, t *thread) { o.Note(v, t.choose(list)) }, err
	},
	"sends": func(p *parser) (operatorDo, error) {
		kind, content, err := p.takeContent()
		return func(o *crisptest.Operator, v *crisptest.Visitor, _ *thread) { o.Send(v, kind, content) }, err
	},
	"reads":    plainly((*crisptest.Operator).Read),
	"takes":    plainly((*crisptest.Operator).Take),
	"resolves": plainly((*crisptest.Operator).Resolve),
	"reopens":  plainly(func(o *crisptest.Operator, v *crisptest.Visitor) { o.SetState(v, "unresolved") }),
}

func plainly(do func(*crisptest.Operator, *crisptest.Visitor)) func(*parser) (operatorDo, error) {
	return func(*parser) (operatorDo, error) {
		return func(o *crisptest.Operator, v *crisptest.Visitor, _ *thread) { do(o, v) }, nil
	}
}

// takeContent takes a message's type and its content, which is a text or JSON.
func (p *parser) takeContent() (kind string, content json.RawMessage, err error) {
	t, err := p.take("the type of the message, such as file,")
	if err != nil {
		return "", nil, err
	}
	if t.kind != word {
		return "", nil, fmt.Errorf("the type of the message must be a word, such as file, not %s", t)
	}
	content, err = p.takeJSON("the content of the message")
	return t.text, content, err
}

// metas are the names of what a visitor can set.
var metas = []string{"nickname", "email", "phone", "address", "subject", "avatar", "data", "segments"}

func (p *parser) takeMeta() (name string, content json.RawMessage, err error) {
	t, err := p.take("what the visitor sets")
	if err != nil {
		return "", nil, err
	}
	if !slices.Contains(metas, t.text) {
		return "", nil, fmt.Errorf("a visitor can't set %s, but %s", t, strings.Join(metas, ", "))
	}
	content, err = p.takeJSON("its value")
	if err != nil {
		return "", nil, err
	}
	wanted := map[string]byte{"data": '{', "segments": '['}[t.text]
	if wanted == 0 {
		wanted = '"'
	}
	if content[0] != wanted {
		return "", nil, fmt.Errorf(`the value of %s must begin with %c`, t.text, wanted)
	}
	return t.text, content, nil
}

// takeJSON takes a quoted text, an object or a list, and returns it as JSON.
func (p *parser) takeJSON(what string) (json.RawMessage, error) {
	t, err := p.take(what)
	switch {
	case err != nil:
		return nil, err
	case t.kind == value:
		return json.RawMessage(t.text), nil
	case t.kind == quoted:
		text, err := json.Marshal(t.text)
		return text, err
	default:
		return nil, fmt.Errorf(`%s must be "in quotes", or an object or a list of JSON, not %s`, what, t)
	}
}
