package bridge_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/bridge"
	"github.com/crisp-go/crisp/bridge/bridgetest"
	"github.com/crisp-go/crisp/internal/testkit"
)

// script is an engine with one partition that hands over what a test says.
type script struct {
	steps    chan any // a bridge.Message, or an error
	patience time.Duration
	doneErr  func() error
	buryErr  func(bridge.DeadLetter) error

	done    testkit.Log[string] // "id" of its first delivery, "id/2" of its second
	working testkit.Log[working]
	buried  testkit.Log[bridge.DeadLetter]
	handed  map[string]int
	taken   atomic.Int32
	ended   error // of Consume, before ctx ends
}

type working struct {
	id string
	at time.Time
}

func newScript(steps ...any) *script {
	s := &script{steps: make(chan any, 10_000), handed: make(map[string]int), doneErr: func() error { return nil }, buryErr: func(bridge.DeadLetter) error { return nil }}
	s.add(steps...)
	return s
}

func (s *script) add(steps ...any) {
	for _, step := range steps {
		s.steps <- step
	}
}

func (s *script) Consume(ctx context.Context, serve func(context.Context, bridge.Partition)) error {
	if s.ended != nil {
		return s.ended
	}
	serve(ctx, s)
	<-ctx.Done()
	return nil
}

func (s *script) Bury(_ context.Context, d bridge.DeadLetter) error {
	if err := s.buryErr(d); err != nil {
		return err
	}
	s.buried.Add(d)
	return nil
}

func (s *script) Number() int { return 7 }

func (s *script) Next(ctx context.Context) (bridge.Delivery, error) {
	select {
	case step := <-s.steps:
		if err, ok := step.(error); ok {
			return nil, err
		}
		m := step.(bridge.Message)
		s.handed[m.ID]++
		s.taken.Add(1)
		return &handed{s, m, s.handed[m.ID]}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

type handed struct {
	script  *script
	message bridge.Message
	attempt int
}

func (h *handed) Message() bridge.Message { return h.message }

func (h *handed) Attempt() int { return h.attempt }

func (h *handed) Patience() time.Duration { return h.script.patience }

func (h *handed) Done(context.Context) error {
	if err := h.script.doneErr(); err != nil {
		return err
	}
	id := h.message.ID
	if h.attempt > 1 {
		id += fmt.Sprint("/", h.attempt)
	}
	h.script.done.Add(id)
	return nil
}

func (h *handed) Working(context.Context) error {
	h.script.working.Add(working{h.message.ID, time.Now()})
	return nil
}

// text is a message of a conversation whose ID is the text.
func text(session, text string) bridge.Message {
	return bridge.Message{
		ID: text, Type: "message:send", WebsiteID: website, SessionID: session, Source: crisp.SourceRTM,
		Data: []byte(`{"website_id":"` + website + `","session_id":"` + session + `","type":"text","from":"user","content":"` + text + `"}`),
	}
}

// consuming is a Consume under way.
type consuming struct {
	*bridge.Counters
	errs   *errorLog // of the bridge
	failed *errorLog // of the router
	end    context.CancelFunc
	err    chan error
}

// consume runs a handler of texts behind an engine.
func consume(t *testing.T, c bridge.Consumer, handle func(ctx context.Context, text string) error, opts ...bridge.ConsumeOption) *consuming {
	t.Helper()
	failed := new(errorLog)
	router := crisp.NewRouter(crisp.WithErrorHandler(failed.hear))
	crisp.On(router, func(ctx context.Context, ev *crisp.MessageSend) error { return handle(ctx, ev.Text()) })
	return consumeWith(t, c, router, failed, opts...)
}

func consumeWith(t *testing.T, c bridge.Consumer, router *crisp.Router, failed *errorLog, opts ...bridge.ConsumeOption) *consuming {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	run := &consuming{Counters: new(bridge.Counters), errs: new(errorLog), failed: failed, end: cancel, err: make(chan error, 1)}
	opts = append([]bridge.ConsumeOption{bridge.WithErrorHandler(run.errs.hear), bridge.WithCounters(run.Counters), bridge.WithBackoff(seconds(1))}, opts...)
	go func() { run.err <- bridge.Consume(ctx, c, router, opts...) }()
	t.Cleanup(cancel)
	return run
}

// stop ends it, and checks that nothing is left.
func (c *consuming) stop(t *testing.T) {
	t.Helper()
	c.end()
	require.NoError(t, <-c.err)
	assert.Zero(t, c.InHand.Load())
	assert.Zero(t, c.Running.Load())
	assert.Zero(t, c.Partitions.Load())
}

// seconds is a backoff.
type seconds int

func (s seconds) Delay(int) time.Duration { return time.Duration(s) * time.Second }

// without leaves out what runs side by side with the rest.
func without(other string, all []string) []string {
	return slices.DeleteFunc(all, func(text string) bool { return text == other })
}

// bubble runs a test in virtual time.
func bubble(t *testing.T, test func(t *testing.T)) { t.Helper(); synctest.Test(t, test) }

// TestARewindWhileAHandlerRuns: what has not begun is forgotten, what runs goes on, and
// is done where it came again.
func TestARewindWhileAHandlerRuns(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, release := newScript(text("s", "one"), text("s", "two"), text("other", "three")), make(chan struct{})
		var ran testkit.Log[string]
		c := consume(t, s, func(_ context.Context, text string) error {
			ran.Add(text)
			if text == "one" {
				<-release
			}
			return nil
		})
		synctest.Wait()
		assert.ElementsMatch(t, []string{"one", "three"}, ran.List())
		s.add(bridge.ErrRewound, text("s", "one"), text("s", "two"), text("s", "four"))
		synctest.Wait()
		assert.ElementsMatch(t, []string{"one", "three"}, ran.List(), "the first is not done")
		close(release)
		synctest.Wait()
		assert.Equal(t, []string{"one", "two", "four"}, without("three", ran.List()))
		assert.Equal(t, []string{"three", "one/2", "two/2", "four"}, s.done.List())
		assert.EqualValues(t, 1, c.Rewound.Load())
		c.stop(t)
	})
}

// TestARewindForgetsWhatHasNotBegun: another member may have handled it meanwhile.
func TestARewindForgetsWhatHasNotBegun(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, release := newScript(text("s", "one"), text("s", "two")), make(chan struct{})
		var ran testkit.Log[string]
		c := consume(t, s, func(_ context.Context, text string) error {
			ran.Add(text)
			<-release
			return nil
		}, bridge.WithConcurrency(1))
		synctest.Wait()
		s.add(text("other", "three"), bridge.ErrRewound, text("s", "one"), text("s", "four"))
		synctest.Wait()
		close(release)
		synctest.Wait()
		assert.Equal(t, []string{"one", "four"}, ran.List())
		assert.Equal(t, []string{"one/2", "four"}, s.done.List())
		c.stop(t)
	})
}

func TestARewindAfterWhatIsDoneWasNotHeardOf(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newScript(text("s", "one"))
		s.doneErr = func() error { return errAway }
		var ran testkit.Log[string]
		c := consume(t, s, func(_ context.Context, text string) error { ran.Add(text); return nil })
		synctest.Wait()
		require.Len(t, c.errs.List(), 1)
		assert.ErrorIs(t, c.errs.List()[0], errAway)
		s.doneErr = func() error { return nil }
		s.add(bridge.ErrRewound, text("s", "one"), text("s", "two"))
		synctest.Wait()
		assert.Equal(t, []string{"one", "two"}, ran.List(), "handled once")
		assert.Equal(t, []string{"one/2", "two"}, s.done.List())
		assert.EqualValues(t, 1, c.Duplicates.Load())
		c.stop(t)
	})
}

func TestARewindKeepsAttempts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newScript(text("s", "one"), text("s", "two"))
		var ran testkit.Log[string]
		c := consume(t, s, func(_ context.Context, text string) error {
			ran.Add(text)
			if text == "one" {
				return errors.New("never")
			}
			return nil
		}, bridge.WithAttempts(3))
		time.Sleep(1500 * time.Millisecond)
		assert.Equal(t, []string{"one", "one"}, ran.List())
		s.add(bridge.ErrRewound, text("s", "one"), text("s", "two"))
		time.Sleep(10 * time.Second)
		assert.Equal(t, []string{"one", "one", "one", "two"}, ran.List())
		require.Len(t, s.buried.List(), 1)
		assert.Equal(t, 3, s.buried.List()[0].Attempts)
		assert.Equal(t, []string{"one/2", "two/2"}, s.done.List())
		c.stop(t)
	})
}

// TestWhatFailsIsTriedAgainAndBuried: its conversation waits meanwhile, others don't.
func TestWhatFailsIsTriedAgainAndBuried(t *testing.T) {
	for name, fail := range map[string]func() error{
		"an error":              func() error { return errors.New("a failure") },
		"a panic":               func() error { panic("a failure") },
		"the goroutine's end":   func() error { runtime.Goexit(); return nil },
		"the handler's timeout": func() error { time.Sleep(time.Minute); return context.DeadlineExceeded },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newScript(text("s", "one"), text("s", "two"), text("other", "three"))
				var ran testkit.Log[string]
				c := consume(t, s, func(_ context.Context, text string) error {
					ran.Add(text)
					if text == "one" {
						return fail()
					}
					return nil
				}, bridge.WithAttempts(3))
				time.Sleep(5 * time.Minute)
				assert.Equal(t, []string{"one", "one", "one", "two"}, without("three", ran.List()))
				assert.Equal(t, []string{"three", "one", "two"}, s.done.List())
				require.Len(t, s.buried.List(), 1)
				letter := s.buried.List()[0]
				assert.Equal(t, text("s", "one"), letter.Message)
				assert.Equal(t, 3, letter.Attempts)
				assert.NotEmpty(t, letter.Error)
				assert.False(t, letter.At.IsZero())
				assert.EqualValues(t, 3, c.Failed.Load())
				assert.EqualValues(t, 2, c.Handled.Load())
				assert.EqualValues(t, 1, c.Buried.Load())

				buried, handler := (*bridge.BuriedError)(nil), (*crisp.HandlerError)(nil)
				last := c.errs.List()[len(c.errs.List())-1]
				require.True(t, errors.As(last, &buried) || errors.As(c.errs.List()[len(c.errs.List())-2], &buried))
				assert.Equal(t, 3, buried.Attempts)
				require.ErrorAs(t, buried, &handler)
				assert.Equal(t, "message:send", handler.Event.EventName())
				c.stop(t)
			})
		})
	}
}

func TestAHandlersTimeIsLimited(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newScript(text("s", "one"))
		c := consume(t, s, func(ctx context.Context, _ string) error {
			<-ctx.Done()
			return ctx.Err()
		}, bridge.WithAttempts(2), bridge.WithHandlerTimeout(10*time.Second))
		time.Sleep(30 * time.Second)
		require.Len(t, s.buried.List(), 1)
		assert.Contains(t, s.buried.List()[0].Error, "deadline")
		c.stop(t)
	})
}

func TestABurialIsTriedUntilItWorks(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newScript(text("s", "one"), text("s", "two"), text("other", "three"))
		away := atomic.Bool{}
		away.Store(true)
		s.buryErr = func(bridge.DeadLetter) error {
			if away.Load() {
				return errAway
			}
			return nil
		}
		var ran testkit.Log[string]
		c := consume(t, s, func(_ context.Context, text string) error {
			ran.Add(text)
			if text == "one" {
				return errors.New("never")
			}
			return nil
		}, bridge.WithAttempts(1))
		time.Sleep(time.Hour)
		assert.ElementsMatch(t, []string{"one", "three"}, ran.List(), "the conversation waits")
		assert.Equal(t, []string{"three"}, s.done.List())
		away.Store(false)
		time.Sleep(2 * time.Second)
		assert.Equal(t, []string{"one", "two"}, without("three", ran.List()))
		assert.Equal(t, []string{"three", "one", "two"}, s.done.List())
		assert.Len(t, s.buried.List(), 1)
		c.stop(t)
	})
}

// An engine may have buried what it could not say: it knows a letter again by when the
// message was given up.
func TestAttemptsToBuryAreOneLetter(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newScript(text("s", "one"))
		var at []time.Time
		s.buryErr = func(d bridge.DeadLetter) error {
			if at = append(at, d.At); len(at) < 3 {
				return errAway
			}
			return nil
		}
		c := consume(t, s, func(context.Context, string) error { return errors.New("never") },
			bridge.WithAttempts(1), bridge.WithBackoff(seconds(3)))
		time.Sleep(time.Minute)
		c.stop(t)
		require.Len(t, at, 3)
		assert.Equal(t, at[0], at[1])
		assert.Equal(t, at[0], at[2])
	})
}

func TestADeadLetterThatIsTooLargeHasAStub(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newScript(text("s", "one"))
		s.buryErr = func(d bridge.DeadLetter) error {
			if d.Message.Stub == "" {
				return &bridge.TooLargeError{Size: len(d.Message.Data), Max: 10}
			}
			return nil
		}
		c := consume(t, s, func(context.Context, string) error { return errors.New("never") }, bridge.WithAttempts(1))
		synctest.Wait()
		require.Len(t, s.buried.List(), 1)
		assert.Equal(t, "one", s.buried.List()[0].Message.ID)
		assert.NotContains(t, string(s.buried.List()[0].Message.Data), "content")
		assert.Equal(t, []string{"one"}, s.done.List())
		c.stop(t)
	})
}

func TestWhatCannotBeDecodedIsBuriedAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		broken, newer := text("s", "one"), text("s", "two")
		broken.Data = []byte(`{"content":"what somebody wrote`)
		newer.Type = "crisp.bridge.new"
		s := newScript(broken, newer, text("s", "three"))
		var ran testkit.Log[string]
		c := consume(t, s, func(_ context.Context, text string) error { ran.Add(text); return nil })
		synctest.Wait()
		assert.Equal(t, []string{"three"}, ran.List())
		require.Len(t, s.buried.List(), 2)
		for _, d := range s.buried.List() {
			assert.Zero(t, d.Attempts)
			assert.NotContains(t, d.Error, "somebody")
		}
		c.stop(t)
	})
}

// TestWhatWasBuriedIsHandledWhenItIsReplayed: under its old ID, also while it is
// remembered.
func TestWhatWasBuriedIsHandledWhenItIsReplayed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newScript(text("s", "one"), text("s", "two"))
		var ran testkit.Log[string]
		broken := atomic.Bool{}
		broken.Store(true)
		c := consume(t, s, func(_ context.Context, text string) error {
			ran.Add(text)
			if text == "one" && broken.Load() {
				return errors.New("not yet")
			}
			return nil
		}, bridge.WithAttempts(1), bridge.WithDedupe(crisp.NewMemoryDedupe(0, 0)))
		synctest.Wait()
		require.Len(t, s.buried.List(), 1)
		broken.Store(false)
		s.add(bridge.ErrRewound, s.buried.List()[0].Message)
		synctest.Wait()
		assert.Equal(t, []string{"one", "two", "one"}, ran.List())
		assert.EqualValues(t, 2, c.Handled.Load())
		c.stop(t)
	})
}

// TestTheEngineIsToldOfWhatWaitsAndRuns: before its patience is over, all the time.
func TestTheEngineIsToldOfWhatWaitsAndRuns(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newScript(text("s", "one"), text("s", "two"), text("other", "three"))
		s.patience = 3 * time.Second
		c := consume(t, s, func(_ context.Context, text string) error {
			switch text {
			case "one":
				time.Sleep(time.Minute)
			case "three":
				return errors.New("never")
			}
			return nil
		}, bridge.WithAttempts(30))
		began := time.Now()
		time.Sleep(59 * time.Second)
		last := map[string]time.Time{}
		for _, w := range s.working.List() {
			if last[w.id].IsZero() {
				last[w.id] = began
			}
			assert.LessOrEqual(t, w.at.Sub(last[w.id]), 1100*time.Millisecond, w.id)
			last[w.id] = w.at
		}
		assert.Len(t, last, 3)
		assert.GreaterOrEqual(t, len(s.working.List()), 140)
		time.Sleep(10 * time.Second)
		before := len(s.working.List())
		time.Sleep(time.Minute)
		assert.Len(t, s.working.List(), before, "of what is done, it is not told")
		c.stop(t)
	})
}

// TestTheEnd: nothing is begun any more, handlers have some time, and then the end of
// their context.
func TestTheEnd(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newScript(text("a", "short"), text("a", "behind"), text("b", "long"), text("c", "deaf"), text("d", "fails"), text("e", "waits"), text("f", "tried before"))
		var ran, gone testkit.Log[string]
		c := consume(t, s, func(ctx context.Context, text string) error {
			ran.Add(text)
			switch text {
			case "short":
				time.Sleep(13 * time.Second)
			case "long":
				<-ctx.Done()
				gone.Add(text)
				assert.ErrorIs(t, context.Cause(ctx), bridge.ErrRevoked)
				return ctx.Err()
			case "deaf":
				time.Sleep(time.Minute)
			case "fails":
				time.Sleep(11 * time.Second)
				return errors.New("a failure")
			case "tried before":
				return errors.New("a failure")
			}
			return nil
		}, bridge.WithConcurrency(4), bridge.WithAttempts(1))
		time.Sleep(10 * time.Second)
		c.end()
		began := time.Now()
		require.NoError(t, <-c.err)
		assert.Equal(t, 50*time.Second, time.Since(began), "it waits for what does not heed its context")
		assert.ElementsMatch(t, []string{"short", "long", "deaf", "fails"}, ran.List(), "nothing is begun")
		assert.Equal(t, []string{"long"}, gone.List())
		assert.Equal(t, []string{"short", "deaf"}, s.done.List(), "what has succeeded is done, also late")
		assert.Empty(t, s.buried.List(), "what failed in the end comes again")
		assert.EqualValues(t, 2, c.Lost.Load())
		assert.Zero(t, c.InHand.Load())
		time.Sleep(2 * time.Hour)
		assert.Len(t, ran.List(), 4)
	})
}

func TestWhatWaitsForAnotherAttemptIsLeftAtTheEnd(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newScript(text("s", "one"))
		var ran testkit.Log[string]
		c := consume(t, s, func(_ context.Context, text string) error { ran.Add(text); return errors.New("never") }, bridge.WithBackoff(seconds(60)))
		synctest.Wait()
		began := time.Now()
		c.stop(t)
		assert.Zero(t, time.Since(began), "nobody waits for it")
		time.Sleep(time.Hour)
		assert.Len(t, ran.List(), 1)
		assert.Empty(t, s.done.List())
	})
}

func TestMemoryIsBounded(t *testing.T) {
	flood := func(s *script, n, size int) {
		for i := range n {
			m := text(fmt.Sprint("s", i%3), fmt.Sprint(i))
			m.Data = []byte(`{"content":"` + strings.Repeat("x", size) + `"}`)
			s.add(m)
		}
	}
	block := func(ctx context.Context, _ string) error { <-ctx.Done(); return ctx.Err() }
	bubble(t, func(t *testing.T) {
		s := newScript()
		flood(s, 1000, 1)
		c := consume(t, s, block)
		synctest.Wait()
		assert.EqualValues(t, 256, s.taken.Load())
		c.stop(t)
	})
	bubble(t, func(t *testing.T) {
		s := newScript()
		flood(s, 1000, 1000)
		c := consume(t, s, block, bridge.WithMaxBytes(100_000))
		synctest.Wait()
		assert.InDelta(t, 65, s.taken.Load(), 3)
		c.stop(t)
	})
	bubble(t, func(t *testing.T) {
		s := newScript()
		flood(s, 3, 1000)
		var n atomic.Int32
		c := consume(t, s, func(context.Context, string) error { n.Add(1); return nil }, bridge.WithMaxBytes(1))
		synctest.Wait()
		assert.EqualValues(t, 3, n.Load(), "one at a time")
		c.stop(t)
	})
	bubble(t, func(t *testing.T) { // the oldest is not done, and what comes behind it is
		s := newScript(text("stuck", "stuck"))
		for i := range 6000 {
			s.add(text("s", fmt.Sprint(i)))
		}
		c := consume(t, s, func(ctx context.Context, text string) error {
			if text == "stuck" {
				return block(ctx, text)
			}
			return nil
		})
		synctest.Wait()
		assert.EqualValues(t, 4096, s.taken.Load())
		c.stop(t)
	})
}

func TestConversationsTakeTurns(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newScript()
		for i := range 100 {
			s.add(text("busy", fmt.Sprint("busy ", i)))
		}
		s.add(text("quiet", "quiet"))
		var ran testkit.Log[string]
		c := consume(t, s, func(_ context.Context, text string) error {
			ran.Add(text)
			time.Sleep(time.Second)
			return nil
		}, bridge.WithConcurrency(1))
		time.Sleep(10 * time.Second)
		assert.Contains(t, ran.List()[:3], "quiet")
		c.stop(t)
	})
}

func TestSoManyAreHandledAtATime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newScript()
		for i := range 100 {
			s.add(text(fmt.Sprint("s", i), fmt.Sprint(i)))
		}
		c := consume(t, s, func(context.Context, string) error { time.Sleep(time.Second); return nil }, bridge.WithConcurrency(10))
		time.Sleep(4500 * time.Millisecond)
		assert.EqualValues(t, 10, c.Running.Load())
		assert.Len(t, s.done.List(), 40)
		c.stop(t)
	})
}

// failingDedupe is a store that fails.
type failingDedupe struct{}

func (failingDedupe) Done(context.Context, crisp.DeliveryKey) (bool, error) { return true, errAway }

func (failingDedupe) MarkDone(context.Context, crisp.DeliveryKey) error { panic("a bug") }

// hangingDedupe is a store that does not answer.
type hangingDedupe struct{ failingDedupe }

func (hangingDedupe) Done(ctx context.Context, _ crisp.DeliveryKey) (bool, error) {
	<-ctx.Done()
	return true, ctx.Err()
}

func TestADedupeStoreThatHangsCostsNoMessage(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newScript(text("s", "one"))
		c := consume(t, s, func(context.Context, string) error { return nil }, bridge.WithDedupe(hangingDedupe{}))
		time.Sleep(time.Minute)
		assert.Equal(t, []string{"one"}, s.done.List())
		assert.NotEmpty(t, c.errs.List())
		c.stop(t)
	})
}

func TestDedupeAmongMembers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		store := crisp.NewMemoryDedupe(0, 0)
		var ran testkit.Log[string]
		handle := func(_ context.Context, text string) error { ran.Add(text); return nil }
		for range 2 {
			s := newScript(text("s", "one"), text("s", "one"), text("s", "two"))
			c := consume(t, s, handle, bridge.WithDedupe(store))
			synctest.Wait()
			assert.Len(t, s.done.List(), 3)
			c.stop(t)
		}
		assert.Equal(t, []string{"one", "two"}, ran.List())

		s := newScript(text("s", "three"))
		c := consume(t, s, handle, bridge.WithDedupe(failingDedupe{}))
		synctest.Wait()
		assert.Equal(t, []string{"one", "two", "three"}, ran.List(), "a store that fails costs no message")
		assert.Equal(t, []string{"three"}, s.done.List())
		require.NotEmpty(t, c.errs.List())
		assert.ErrorIs(t, c.errs.List()[0], errAway)
		c.stop(t)
	})
}

func TestADedupeStoreMayBeSharedWithWebHooks(t *testing.T) {
	bubble(t, func(t *testing.T) {
		store := crisp.NewMemoryDedupe(0, 0)
		ev := hook(t, "session:set_state", `{"session_id":"session_1","state":"resolved"}`)
		m := bridge.NewMessage(ev)
		key, err := hex.DecodeString(m.ID)
		require.NoError(t, err)
		require.NoError(t, store.MarkDone(t.Context(), crisp.DeliveryKey(key)), "the web hook that stored it in the log is done")
		router, n := crisp.NewRouter(), 0
		router.OnAny(func(context.Context, crisp.Event) error { n++; return nil })
		c := consumeWith(t, newScript(m), router, nil, bridge.WithDedupe(store))
		synctest.Wait()
		c.stop(t)
		assert.Equal(t, 1, n)
	})
}

func TestControl(t *testing.T) {
	bubble(t, func(t *testing.T) {
		log := bridgetest.NewLog(bridgetest.WithMaxPayload(1000), bridgetest.WithPartitions(1))
		source := quietRouter()
		in := bridge.Publish(source, log.Publisher(), bridge.WithErrorHandler(new(errorLog).hear))
		in.Hooks(t.Context()).Gap(crisp.Gap{Reason: crisp.GapRestarted})
		in.Hooks(t.Context()).Dropped(crisp.Dropped{Count: 3, Err: errAway})
		require.NoError(t, source.Dispatch(t.Context(), said("s", strings.Repeat("x", 2000), 1, crisp.SourceRTM)))

		var told testkit.Log[bridge.Control]
		var texts testkit.Log[string]
		failures := 0
		handle := func(_ context.Context, text string) error { texts.Add(text); return nil }
		c := consume(t, log.Consumer("group"), handle, bridge.WithControl(func(ctx context.Context, c bridge.Control) error {
			m, ok := bridge.MessageOf(ctx)
			assert.True(t, ok)
			assert.NotEmpty(t, m.ID)
			if _, ok := c.(*bridge.Gap); ok && failures < 2 {
				if failures++; failures == 1 {
					panic("a bug")
				}
				runtime.Goexit()
			}
			told.Add(c)
			return nil
		}))
		time.Sleep(10 * time.Second)
		require.Len(t, told.List(), 3)
		assert.Empty(t, texts.List(), "a stub is not a message")
		for _, want := range []bridge.Control{new(bridge.Gap), new(bridge.Dropped), new(bridge.Stub)} {
			found := false
			for _, c := range told.List() {
				found = found || fmt.Sprintf("%T", c) == fmt.Sprintf("%T", want)
			}
			assert.True(t, found, "%T", want)
		}
		c.stop(t)

		c = consume(t, log.Consumer("without"), handle)
		synctest.Wait()
		assert.Zero(t, log.Left("without"), "they are passed over")
		c.stop(t)
	})
}

// TestSupersedeBehindALog: what has to be known when a message comes is known before its
// turn.
func TestSupersedeBehindALog(t *testing.T) {
	bubble(t, func(t *testing.T) {
		router := crisp.NewRouter()
		crisp.Supersede(router)
		var ended testkit.Log[error]
		crisp.On(router, func(ctx context.Context, ev *crisp.MessageSend) error {
			if ev.Fingerprint == 1 {
				<-ctx.Done()
				ended.Add(context.Cause(ctx))
				return ctx.Err()
			}
			return nil
		})
		log := bridgetest.NewLog()
		publish := func(text string, fingerprint int) {
			require.NoError(t, log.Publisher().Publish(t.Context(), bridge.NewMessage(said("s", text, fingerprint, crisp.SourceRTM))))
		}
		c := consumeWith(t, log.Consumer("group"), router, nil)
		publish("one", 1)
		synctest.Wait()
		assert.Empty(t, ended.List())
		publish("two", 2)
		synctest.Wait()
		require.Len(t, ended.List(), 1)
		assert.ErrorIs(t, ended.List()[0], crisp.ErrSuperseded)
		assert.Zero(t, log.Left("group"), "what was superseded is no failure")
		c.stop(t)
	})
}

func TestMessageOf(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := text("s", "one")
		m.Trace = map[string]string{"traceparent": "00-1-2-01"}
		var got testkit.Log[bridge.Message]
		c := consume(t, newScript(m), func(ctx context.Context, _ string) error {
			of, _ := bridge.MessageOf(ctx)
			got.Add(of)
			return nil
		})
		synctest.Wait()
		assert.Equal(t, []bridge.Message{m}, got.List())
		_, ok := bridge.MessageOf(t.Context())
		assert.False(t, ok)
		c.stop(t)
	})
}

func TestSlowHandlersAreToldOf(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := consume(t, newScript(text("s", "one")), func(context.Context, string) error { time.Sleep(100 * time.Second); return nil })
		time.Sleep(time.Hour)
		require.Len(t, c.errs.List(), 2)
		for i, running := range []time.Duration{30 * time.Second, 60 * time.Second} {
			slow := (*bridge.SlowHandlerError)(nil)
			require.ErrorAs(t, c.errs.List()[i], &slow)
			assert.Equal(t, &bridge.SlowHandlerError{Type: "message:send", Partition: 7, Running: running}, slow)
		}
		c.stop(t)
	})
	bubble(t, func(t *testing.T) {
		c := consume(t, newScript(text("s", "one")), func(context.Context, string) error { time.Sleep(time.Hour); return nil }, bridge.WithSlowHandler(0))
		time.Sleep(2 * time.Hour)
		assert.Empty(t, c.errs.List())
		c.stop(t)
	})
}

func TestAnEngineThatFailsIsAskedAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newScript(errAway, errAway, text("s", "one"))
		var ran testkit.Log[string]
		c := consume(t, s, func(_ context.Context, text string) error { ran.Add(text); return nil })
		time.Sleep(3 * time.Second)
		assert.Equal(t, []string{"one"}, ran.List())
		require.Len(t, c.errs.List(), 1)
		assert.ErrorIs(t, c.errs.List()[0], errAway)
		c.stop(t)
	})
}

func TestConsumeEndsWithItsConsumer(t *testing.T) {
	s := newScript()
	s.ended = errAway
	assert.ErrorIs(t, bridge.Consume(t.Context(), s, crisp.NewRouter()), errAway)
	ended := consumerFunc(func(context.Context) error { return nil })
	assert.Error(t, bridge.Consume(t.Context(), ended, crisp.NewRouter()))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.NoError(t, bridge.Consume(ctx, ended, crisp.NewRouter()))
	assert.Error(t, bridge.Consume(t.Context(), nil, crisp.NewRouter()))
	assert.Error(t, bridge.Consume(t.Context(), ended, nil))
}

type consumerFunc func(context.Context) error

func (f consumerFunc) Consume(ctx context.Context, _ func(context.Context, bridge.Partition)) error {
	return f(ctx)
}

func (consumerFunc) Bury(context.Context, bridge.DeadLetter) error { return nil }

func TestAnErrorHandlerThatPanicsOrEndsItsGoroutine(t *testing.T) {
	bubble(t, func(t *testing.T) {
		for _, die := range []func(){func() { panic("a bug") }, runtime.Goexit} {
			s := newScript(text("s", "one"), text("s", "two"))
			var ran testkit.Log[string]
			c := consume(t, s, func(_ context.Context, text string) error { ran.Add(text); return errors.New("never") },
				bridge.WithAttempts(1), bridge.WithErrorHandler(func(context.Context, error) { die() }))
			synctest.Wait()
			assert.Equal(t, []string{"one", "two"}, ran.List())
			c.stop(t)
		}
	})
}

func TestOptionsPanicOverWhatMakesNoSense(t *testing.T) {
	for name, option := range map[string]func(){
		"WithBackoff":        func() { bridge.WithBackoff(nil) },
		"WithErrorHandler":   func() { bridge.WithErrorHandler(nil) },
		"WithHookPatience":   func() { bridge.WithHookPatience(0) },
		"WithAttempts":       func() { bridge.WithAttempts(0) },
		"WithConcurrency":    func() { bridge.WithConcurrency(0) },
		"WithMaxBytes":       func() { bridge.WithMaxBytes(0) },
		"WithDrainTimeout":   func() { bridge.WithDrainTimeout(-1) },
		"WithHandlerTimeout": func() { bridge.WithHandlerTimeout(0) },
		"WithSlowHandler":    func() { bridge.WithSlowHandler(-1) },
		"WithControl":        func() { bridge.WithControl(nil) },
		"WithDedupe":         func() { bridge.WithDedupe(nil) },
		"WithCounters":       func() { bridge.WithCounters(nil) },
	} {
		assert.Panics(t, option, name)
	}
}
