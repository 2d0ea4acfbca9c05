//go:build !race

package operations

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/bridge"
	"github.com/crisp-go/crisp/crisptest"
)

// faults has, for each alert, the fault that must make it fire.
var faults = map[string]struct {
	set   set
	fault func(s *scene)
	also  []string // the other alerts that fire
}{
	"CrispDown": {fault: func(s *scene) { // the token was revoked, and the program has ended
		s.srv.RejectAuth()
		s.srv.DropConnections()
		<-s.ended
		s.quiet = true
		s.pass(5 * time.Minute)
	}},
	"CrispDisconnected": {fault: func(s *scene) {
		s.srv.TakeDown()
		s.pass(10 * time.Minute)
	}},
	"CrispReconnects": {fault: func(s *scene) {
		for range 10 {
			s.srv.DropConnections()
			s.pass(time.Minute)
		}
	}},
	"CrispSilent": {fault: func(s *scene) { // nobody writes for more than an hour
		s.quiet = true
		s.pass(70 * time.Minute)
	}},
	"CrispEventsDropped": {
		set: set{rtm: []crisp.RTMOption{crisp.WithQueue(20<<10, crisp.OverflowDrop)}},
		fault: func(s *scene) { // a flood, and handlers that take their time
			s.does(takes(2 * time.Second))
			for range 100 {
				s.visitor.Say("again")
			}
			s.pass(5 * time.Minute)
		},
	},
	"CrispHandlerHangs": {fault: func(s *scene) {
		goOn := make(chan struct{})
		s.does(func(ctx context.Context, ev crisp.Event) error {
			if ev.EventMeta().Source == crisp.SourceRTM {
				<-goOn
			}
			return nil
		})
		s.pass(5 * time.Minute)
		close(goOn)
	}},
	"CrispGap": {
		fault: func(s *scene) {
			s.srv.TakeDown()
			s.pass(7 * time.Minute)
			s.srv.BringUp()
			s.pass(5 * time.Minute)
		},
		also: []string{"CrispDisconnected"},
	},
	"CrispBackfillIncomplete": {
		set: set{rtm: []crisp.RTMOption{crisp.WithBackfill(crisp.Backfill{MaxAge: time.Minute})}},
		fault: func(s *scene) { // the gap is older than what is to be fetched
			s.srv.TakeDown()
			s.pass(4 * time.Minute)
			s.srv.BringUp()
			s.pass(5 * time.Minute)
		},
	},
	"CrispHandlersFail": {
		fault: func(s *scene) {
			s.does(func(_ context.Context, ev crisp.Event) error {
				if ev.EventMeta().Source == crisp.SourceRTM {
					return errAway
				}
				return nil
			})
			s.pass(10 * time.Minute)
		},
	},
	"CrispHandlersSlow": {fault: func(s *scene) {
		s.does(takes(8 * time.Second))
		s.pass(15 * time.Minute)
	}},
	"CrispWebhooksFail": {
		fault: func(s *scene) {
			s.does(func(_ context.Context, ev crisp.Event) error {
				if ev.EventMeta().Source == crisp.SourceWebhook {
					return errAway
				}
				return nil
			})
			s.pass(10 * time.Minute)
		},
		also: []string{"CrispHandlersFail"},
	},
	"CrispWebhooksRefused": {fault: func(s *scene) { // the signing secret was changed at Crisp
		for range 10 {
			s.hook("another secret")
			s.pass(time.Minute)
		}
	}},
	"CrispThrottled": {
		fault: func(s *scene) {
			s.srv.LimitREST(1, time.Minute)
			s.pass(20 * time.Minute)
		},
		also: []string{"CrispHandlersFail", "CrispWebhooksFail"}, // which give up after 5 s
	},
	"CrispQuotaLow": {fault: func(s *scene) {
		s.quota.Store(300)
		s.pass(5 * time.Minute)
	}},
	"CrispQuotaUsedUp": {
		set: set{server: []crisptest.Option{crisptest.WithDailyQuota(250)}},
		fault: func(s *scene) {
			s.pass(30 * time.Minute)
		},
		also: []string{"CrispHandlersFail", "CrispWebhooksFail"},
	},
	"CrispRESTFails": {
		fault: func(s *scene) {
			s.srv.FailREST(http.StatusBadGateway, 1000)
			s.pass(10 * time.Minute)
		},
		also: []string{"CrispHandlersFail", "CrispWebhooksFail"},
	},
	"CrispNothingStored": {fault: func(s *scene) {
		s.log.Fail(errAway)
		s.pass(8 * time.Minute)
		s.log.Fail(nil)
		s.pass(time.Minute)
	}},
	"CrispNobodyConsumes": {fault: func(s *scene) {
		s.stop()
		s.stop = func() {}
		s.pass(8 * time.Minute)
	}},
	"CrispLogStuck": {fault: func(s *scene) {
		goOn := make(chan struct{})
		s.does(func(ctx context.Context, _ crisp.Event) error {
			if _, bridged := bridge.MessageOf(ctx); bridged {
				<-goOn
			}
			return nil
		})
		s.pass(20 * time.Minute)
		close(goOn)
	}},
	"CrispDeadLetters": {
		fault: func(s *scene) {
			s.does(func(context.Context, crisp.Event) error { return errAway })
			s.pass(2 * time.Minute)
			s.does(takes(0))
			s.pass(2 * time.Minute)
		},
	},
}

// takes returns a handler that takes that long.
func takes(d time.Duration) crisp.Handler {
	return func(ctx context.Context, _ crisp.Event) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// TestEachAlertFires makes each fault happen, and evaluates all rules over what the program exports during it.
func TestEachAlertFires(t *testing.T) {
	for alert, tt := range faults {
		t.Run(alert, func(t *testing.T) {
			h, began := play(t, tt.set, tt.fault)
			fired := evaluate(t, h)
			require.Contains(t, fired, alert)
			assert.False(t, fired[alert].at.Before(began), "it fired before the fault")
			assert.ElementsMatch(t, append(slices.Clone(tt.also), alert), slices.Collect(maps.Keys(fired)))
			t.Logf("after %s: %s", fired[alert].at.Sub(began), fired[alert].summary)
		})
	}
}

// TestFewOfTheHandlersBehindTheBridgeFail has one handler in ten fail behind the bridge, while everything else goes well.
func TestFewOfTheHandlersBehindTheBridgeFail(t *testing.T) {
	h, _ := play(t, set{}, func(s *scene) {
		handled := 0
		s.does(func(ctx context.Context, _ crisp.Event) error {
			if _, behind := bridge.MessageOf(ctx); !behind {
				return nil
			}
			if handled++; handled%10 == 0 {
				return errAway
			}
			return nil
		})
		s.pass(30 * time.Minute)
	})
	assert.Contains(t, evaluate(t, h), "CrispHandlersFail")
}

// TestNothingFiresWhileAllIsWell has nothing happen for three hours, but a restart of Crisp's server.
func TestNothingFiresWhileAllIsWell(t *testing.T) {
	h, _ := play(t, set{}, func(s *scene) {
		s.pass(90 * time.Minute)
		s.srv.DropConnections()
		s.pass(90 * time.Minute)
	})
	assert.Empty(t, evaluate(t, h))
	for _, rule := range readRules(t) {
		if rule.Alert != "CrispQuotaLow" && rule.Alert != "CrispHandlersFail" && rule.Alert != "CrispRESTFails" && rule.Alert != "CrispNothingStored" {
			assertMetricsExist(t, h, rule.Expr)
		}
	}
}

// TestARestartFiresNothing restarts a program whose counters show all kinds of trouble, after which all is well.
func TestARestartFiresNothing(t *testing.T) {
	h, _ := play(t, set{}, func(s *scene) {
		s.srv.DropConnections()
		s.pass(20 * time.Minute)
		s.does(func(context.Context, crisp.Event) error { return errAway })
		s.pass(time.Minute)
		s.does(takes(0))
		s.pass(90 * time.Minute)
	})
	well, _ := play(t, set{}, func(s *scene) { s.pass(40 * time.Minute) })
	began := h.restarted(well)
	assert.Empty(t, evaluateSince(t, h, began))
}

// TestAGapAfterARestart has a program lose more before a restart than after it, so that its counter falls.
func TestAGapAfterARestart(t *testing.T) {
	lose := func(d time.Duration) func(*scene) {
		return func(s *scene) {
			s.srv.TakeDown()
			s.pass(d)
			s.srv.BringUp()
			s.pass(5 * time.Minute)
		}
	}
	h, _ := play(t, set{}, func(s *scene) {
		lose(30 * time.Minute)(s)
		s.pass(90 * time.Minute)
	})
	again, _ := play(t, set{}, lose(7*time.Minute))
	began := h.restarted(again)
	assert.Contains(t, evaluateSince(t, h, began), "CrispGap")
}

// TestATargetThatIsGone is not scraped any more, as nothing finds it: there is no up of 0 then.
func TestATargetThatIsGone(t *testing.T) {
	h, _ := play(t, set{}, func(s *scene) { s.pass(time.Minute) })
	gone := h.samples[len(h.samples)-1].at
	for at := gone; at.Before(gone.Add(10 * time.Minute)); at = at.Add(interval) {
		h.put("of_another_job", at, 1)
	}
	fired := evaluate(t, h)
	require.Contains(t, fired, "CrispDown")
	assert.Equal(t, "crisp does not answer.", fired["CrispDown"].summary)
}
