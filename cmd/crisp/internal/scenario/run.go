package scenario

import (
	"context"
	"encoding/binary"
	"maps"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"

	"github.com/crisp-go/crisp/cmd/crisp/internal/control"
)

// Options say how to run a scenario.
type Options struct {
	WebsiteID string
	Speed     float64                          // 0 for the scenario's own
	Seed      uint64                           // 0 for the scenario's own, or a random one if it has none
	Hooks     bool                             // web hooks go to a program, so that awaiting one need not wait
	Tell      func(format string, args ...any) // writes a line about what the scenario does
}

// run is one run of a scenario.
type run struct {
	Options
	server   *crisptest.Server
	scenario *Scenario
	visitors []*visitor
	wg       sync.WaitGroup // the threads besides the main one
}

// Run runs a scenario until it ends or ctx does, and returns ctx's error. With the same
// seed, everybody makes the same choices and pauses each time.
func (s *Scenario) Run(ctx context.Context, on *crisptest.Server, o Options) error {
	r := &run{Options: o, server: on, scenario: s}
	if r.Speed == 0 {
		r.Speed = s.Speed
	}
	if r.Seed == 0 {
		r.Seed = s.Seed
	}
	if r.Seed == 0 {
		r.Seed = 1 + rand.Uint64N(1_000_000)
	}
	r.Tell("the scenario %s begins: speed %g, seed %d", s.Name, r.Speed, r.Seed)
	main := &thread{run: r, ctx: ctx, random: rand.New(rand.NewPCG(r.Seed, 0)), that: map[string]int{}}
	for _, c := range s.people.visitors {
		r.visitors = append(r.visitors, r.newVisitor(c, main.random))
	}
	runAll(s.steps, main)
	r.wg.Wait()
	if ctx.Err() == nil {
		r.Tell("the scenario %s has ended", s.Name)
	}
	return ctx.Err()
}

// visitor is a visitor in a run.
type visitor struct {
	*crisptest.Visitor
	character  *character
	introduced sync.Once
}

func (r *run) newVisitor(c *character, random *rand.Rand) *visitor {
	var id [16]byte
	binary.LittleEndian.PutUint64(id[:8], random.Uint64())
	binary.LittleEndian.PutUint64(id[8:], random.Uint64())
	session := crisp.SessionRef{WebsiteID: r.WebsiteID, SessionID: control.SessionIDOf(id)}
	return &visitor{Visitor: r.server.VisitorOf(session), character: c}
}

// introduce sets the visitor's nickname and email address before their first act.
func (v *visitor) introduce() {
	v.introduced.Do(func() {
		metas := map[string]any{"nickname": v.character.nickname}
		if v.character.email != "" {
			metas["email"] = v.character.email
		}
		v.SetMeta(metas)
	})
}

// thread runs steps one after the other. Its goroutine owns it.
type thread struct {
	run    *run
	ctx    context.Context
	random *rand.Rand
	that   map[string]int // the visitor of each group that was chosen last
}

// child returns a new thread that goes on from here. It has its own random source, so
// that its choices don't depend on how threads interleave.
func (t *thread) child() *thread {
	return &thread{run: t.run, ctx: t.ctx, random: rand.New(rand.NewPCG(t.random.Uint64(), t.random.Uint64())), that: maps.Clone(t.that)}
}

// begin runs steps in a goroutine, and returns a channel that is closed when they end.
func (t *thread) begin(steps []step) <-chan bool {
	ended := make(chan bool)
	t.run.wg.Go(func() {
		defer close(ended)
		runAll(steps, t)
	})
	return ended
}

// visitor returns the visitor that is meant, and chooses one if necessary.
func (t *thread) visitor(w who) *visitor {
	if w.group == "" {
		return t.run.visitors[w.index]
	}
	chosen, before := t.that[w.group]
	if !w.that || !before {
		group := t.run.scenario.people.groups[w.group]
		chosen = group[t.random.IntN(len(group))]
		t.that[w.group] = chosen
	}
	return t.run.visitors[chosen]
}

func (t *thread) choose(list texts) string { return list[t.random.IntN(len(list))] }

func (t *thread) span(s span) time.Duration {
	if s.most == s.least {
		return s.least
	}
	return s.least + time.Duration(t.random.Int64N(int64(s.most-s.least)+1))
}

// sleep waits for a duration of the scenario, scaled by its speed, and reports whether
// the scenario goes on.
func (t *thread) sleep(d time.Duration) bool {
	return t.wait(time.Duration(float64(d) / t.run.Speed))
}

// pause sleeps between two repetitions: for at least shortestPause if they never end.
func (t *thread) pause(every span, forever bool) bool {
	d := time.Duration(float64(t.span(every)) / t.run.Speed)
	if forever {
		d = max(d, shortestPause)
	}
	return t.wait(d)
}

func (t *thread) wait(d time.Duration) bool {
	if d <= 0 {
		return t.ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-t.ctx.Done():
		return false
	}
}

// awaitProgram waits for a program: an RTM connection, or one that gets web hooks. Its
// value bounds the wait, in real time whatever the speed; 0 waits forever.
type awaitProgram time.Duration

func (a awaitProgram) run(t *thread) bool {
	if t.run.Hooks {
		return true
	}
	ctx, cancel := t.ctx, context.CancelFunc(func() {})
	if a > 0 {
		ctx, cancel = context.WithTimeout(ctx, time.Duration(a))
	}
	defer cancel()
	if t.connected() {
		return true
	}
	t.run.Tell("the scenario waits for a program to connect")
	for range t.run.server.Follow(ctx, 0) {
		if t.connected() {
			return true
		}
	}
	if t.ctx.Err() == nil {
		t.run.Tell("no program has connected within %s: the scenario goes on", time.Duration(a))
	}
	return t.ctx.Err() == nil
}

func (t *thread) connected() bool {
	for _, session := range t.run.server.Sessions() {
		if session.Authenticated {
			return true
		}
	}
	return false
}

// awaitAnswer waits for the next answer to a visitor that no step has waited for yet.
type awaitAnswer struct {
	to   who
	most time.Duration
}

func (a awaitAnswer) run(t *thread) bool {
	v := t.visitor(a.to)
	ctx, cancel := context.WithTimeout(t.ctx, a.most)
	defer cancel()
	if _, err := v.WaitAnswer(ctx); err != nil && t.ctx.Err() == nil {
		t.run.Tell("nobody has answered %s within %s", v.character.name, a.most)
	}
	return t.ctx.Err() == nil
}
