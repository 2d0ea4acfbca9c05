package scenario

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"

	"github.com/crisp-go/crisp/cmd/crisp/internal/fault"
)

// step is a statement that can be run. run reports whether the scenario goes on, which
// it does unless its context has ended.
type step interface{ run(t *thread) bool }

// do is a step that takes no time.
type do func(t *thread)

func (d do) run(t *thread) bool {
	d(t)
	return t.ctx.Err() == nil
}

// actStep is something that a visitor does, or an operator does with a visitor.
type actStep struct {
	who who
	do  visitorDo
}

func (a actStep) run(t *thread) bool {
	v := t.visitor(a.who)
	v.introduce()
	a.do(v.Visitor, t)
	return t.ctx.Err() == nil
}

// span is a range of durations, from which one is chosen each time.
type span struct{ least, most time.Duration }

// texts are alternatives, of which one is chosen each time.
type texts []string

// wait TIME
func (p *parser) wait() error {
	d, err := p.takeSpan("the time")
	p.add(waitStep(d))
	return err
}

type waitStep span

func (w waitStep) run(t *thread) bool { return t.sleep(t.span(span(w))) }

// await program [TIME], await answer to VISITOR [TIME]
func (p *parser) await() error {
	switch {
	case p.takeIf("program"):
		most, err := p.takePatience(0)
		p.add(awaitProgram(most))
		return err
	case p.takeIf("answer"):
		if !p.takeIf("to") {
			return fmt.Errorf("behind await answer comes to, and the visitor")
		}
		whom, err := p.takeVisitor()
		if err != nil {
			return err
		}
		most, err := p.takePatience(defaultPatience)
		p.add(awaitAnswer{whom, most})
		return err
	default:
		return fmt.Errorf("behind await comes program, or answer to and the visitor")
	}
}

const defaultPatience = 30 * time.Second

// takePatience takes how long to wait at most; it returns otherwise if the line has no more.
func (p *parser) takePatience(otherwise time.Duration) (time.Duration, error) {
	if len(p.args) == 0 {
		return otherwise, nil
	}
	d, err := p.takeSpan("the time to wait at most")
	return d.most, err
}

// emit NAME [JSON]
func (p *parser) emit() error {
	name, err := p.take("the name of the event")
	if err != nil {
		return err
	}
	if len(p.args) > 0 {
		data, err := p.takeJSON("the data of the event")
		p.add(do(func(t *thread) { t.run.server.EmitRaw(name.text, data) }))
		return err
	}
	if !slices.ContainsFunc(crisp.Events(), func(event crisp.EventInfo) bool { return event.Name == name.text }) {
		return fmt.Errorf("there is no sample of %s: its data are missing, an object of JSON", name)
	}
	p.add(do(func(t *thread) { t.run.server.Emit(crisptest.Sample(name.text)) }))
	return nil
}

// fault NAME PARAM=VALUE…
func (p *parser) fault() error {
	name, err := p.take("the name of the fault")
	if err != nil {
		return err
	}
	var params []string
	for len(p.args) > 0 {
		t := p.args[0]
		p.args = p.args[1:]
		if t.kind == quoted && len(params) > 0 { // the rest of a value with spaces
			params[len(params)-1] += t.text
			continue
		}
		params = append(params, t.text)
	}
	parsed, err := fault.Parse(name.text, params...)
	p.add(do(func(t *thread) {
		t.run.Tell("fault %s", strings.TrimSpace(name.text+" "+strings.Join(params, " ")))
		parsed.Apply(t.run.server)
	}))
	return err
}

func (p *parser) heal() error {
	p.add(do(func(t *thread) {
		t.run.Tell("all is well again")
		t.run.server.Heal()
	}))
	return nil
}

// tell TEXT
func (p *parser) tell() error {
	list, err := p.takeTexts("what to tell")
	p.add(do(func(t *thread) { t.run.Tell("%s", t.choose(list)) }))
	return err
}

// maxTimes is how often steps may be repeated, unless it is forever.
const maxTimes = 1_000_000

// repeat [NUMBER] [every TIME]
func (p *parser) repeat() error {
	r := repeatStep{times: -1}
	if len(p.args) > 0 && p.args[0] != (token{word, "every"}) {
		p.args[0].text = strings.TrimPrefix(p.args[0].text, "x")
		times, err := p.takeNumber("the number of times", 1, maxTimes)
		if err != nil {
			return err
		}
		r.times = times
	}
	every, err := p.takeEvery()
	if err != nil {
		return err
	}
	r.every = every
	return p.open("repeat", func(steps []step) step {
		r.steps = steps
		return r
	})
}

// takeEvery takes "every TIME" if the line has it.
func (p *parser) takeEvery() (span, error) {
	if !p.takeIf("every") {
		return span{}, nil
	}
	return p.takeSpan("the time between two times")
}

// repeatStep repeats steps. Forever without a pause is never meant, so it then pauses
// for shortestPause.
type repeatStep struct {
	times int // -1 for forever
	every span
	steps []step
}

const shortestPause = time.Millisecond

func (r repeatStep) run(t *thread) bool {
	for n := 0; n != r.times; n++ {
		if n > 0 && !t.pause(r.every, r.times < 0) {
			return false
		}
		if !runAll(r.steps, t) {
			return false
		}
	}
	return true
}

// each GROUP [every TIME]
func (p *parser) each() error {
	group, err := p.takeGroup()
	if err != nil {
		return err
	}
	every, err := p.takeEvery()
	if err != nil {
		return err
	}
	return p.open("each", func(steps []step) step { return eachStep{group, every, steps} })
}

// eachStep runs steps for all visitors of a group at the same time, and waits for them.
type eachStep struct {
	group string
	every span
	steps []step
}

func (e eachStep) run(t *thread) bool {
	var all []<-chan bool
	for n, index := range t.run.scenario.people.groups[e.group] {
		if n > 0 && !t.sleep(t.span(e.every)) {
			break
		}
		child := t.child()
		child.that[e.group] = index
		all = append(all, child.begin(e.steps))
	}
	for _, ended := range all {
		<-ended
	}
	return t.ctx.Err() == nil
}

func (p *parser) meanwhile() error {
	return p.open("meanwhile", func(steps []step) step { return meanwhileStep(steps) })
}

// meanwhileStep runs steps while the scenario goes on.
type meanwhileStep []step

func (m meanwhileStep) run(t *thread) bool {
	t.child().begin(m)
	return true
}

// sometimes PERCENT%
func (p *parser) sometimes() error {
	t, err := p.take("how often")
	if err != nil {
		return err
	}
	percent, err := strconv.Atoi(strings.TrimSuffix(t.text, "%"))
	if err != nil || percent < 1 || percent > 99 || !strings.HasSuffix(t.text, "%") {
		return fmt.Errorf("how often is %s; it must be from 1%% to 99%%", t)
	}
	return p.open("sometimes", func(steps []step) step { return sometimesStep{percent, steps} })
}

type sometimesStep struct {
	percent int
	steps   []step
}

func (s sometimesStep) run(t *thread) bool {
	if t.random.IntN(100) >= s.percent {
		return true
	}
	return runAll(s.steps, t)
}

// runAll runs steps one after another, and reports whether the scenario goes on.
func runAll(steps []step, t *thread) bool {
	for _, s := range steps {
		if !s.run(t) {
			return false
		}
	}
	return true
}
