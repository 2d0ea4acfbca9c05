package pace

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// after is a time of the tests.
func after(d time.Duration) time.Time { return start.Add(d) }

func assertNext(t *testing.T, p *Pace, want time.Duration) {
	t.Helper()
	at, ok := p.Next()
	require.True(t, ok)
	assert.Equal(t, want, max(0, at.Sub(start)))
}

func TestCallsGoAtOnceUntilOneIsRefused(t *testing.T) {
	var p Pace
	for range MaxInFlight {
		assertNext(t, &p, 0)
		p.Sent(start)
	}
	_, ok := p.Next()
	assert.False(t, ok, "no more are under way at a time")
	p.Accepted(0)
	assertNext(t, &p, 0)
}

func TestARefusalHoldsBackAllCalls(t *testing.T) {
	for name, c := range map[string]struct {
		retryAfter   time.Duration
		hold         time.Duration // of the others, at most
		atLeast      time.Duration
		again        time.Duration // of the refused one, at most
		againAtLeast time.Duration
	}{
		"no Retry-After":     {0, firstHold, firstHold / 2, firstHold, firstHold / 2},
		"Retry-After":        {2 * time.Second, 2 * time.Second, 2 * time.Second, 2 * time.Second, 2 * time.Second},
		"a long Retry-After": {time.Hour, maxHold, maxHold, time.Hour, time.Hour}, // of a single route, perhaps
	} {
		t.Run(name, func(t *testing.T) {
			var p Pace
			cuts := p.Sent(start)
			again := p.Refused(start, cuts, c.retryAfter).Sub(start)
			at, ok := p.Next()
			require.True(t, ok)
			hold := at.Sub(start)
			assert.GreaterOrEqual(t, hold, c.atLeast)
			assert.LessOrEqual(t, hold, c.hold)
			assert.GreaterOrEqual(t, again, c.againAtLeast)
			assert.LessOrEqual(t, again, c.again)
		})
	}
}

func TestHoldsGrowToAnEnd(t *testing.T) {
	var p Pace
	now := start
	var holds []time.Duration
	for range 40 {
		at, ok := p.Next()
		require.True(t, ok)
		now = later(now, at)
		cuts := p.Sent(now)
		holds = append(holds, p.Refused(now, cuts, 0).Sub(now))
	}
	assert.LessOrEqual(t, slices.Max(holds), maxHold)
	for _, hold := range holds[20:] {
		assert.GreaterOrEqual(t, hold, maxHold/2)
	}
}

// Where the time that is named is always a bad one, it must not be believed
// forever.
func TestANamedTimeThatIsWrongGrows(t *testing.T) {
	var p Pace
	now := start
	for i := range 20 {
		at, _ := p.Next()
		now = later(now, at)
		wait := p.Refused(now, p.Sent(now), time.Second).Sub(now)
		if i < 2 {
			assert.Equal(t, time.Second, wait)
		} else {
			assert.Greater(t, wait, time.Second)
		}
	}
}

func TestOneCallProbesBehindACut(t *testing.T) {
	var p Pace
	cuts := p.Sent(start)
	p.Refused(start, cuts, time.Second)
	assertNext(t, &p, time.Second)
	probe := p.Sent(after(time.Second))
	assertNext(t, &p, time.Second+maxGap) // one that hangs does not hold up the others for longer
	p.Accepted(probe)
	at, ok := p.Next()
	require.True(t, ok)
	assert.Less(t, at.Sub(start), time.Second+maxGap)
}

// Calls that were under way at the cut are refused for the same reason.
func TestRefusalsOfOneBurstAreOneCut(t *testing.T) {
	var p Pace
	cuts := p.Sent(start)
	p.Sent(start)
	p.Sent(start)
	p.Refused(after(time.Millisecond), cuts, time.Second)
	p.Refused(after(2*time.Millisecond), cuts, 0)
	p.Accepted(cuts)
	assertNext(t, &p, time.Second+time.Millisecond)
	assert.Equal(t, 1, p.row)
}

func TestACallWithoutOutcomeSaysNothing(t *testing.T) {
	var p Pace
	for range MaxInFlight {
		p.Sent(start)
	}
	p.Lost()
	assertNext(t, &p, 0)
}

// The gap is forgotten when nothing was sent for long.
func TestTheGapIsForgotten(t *testing.T) {
	p := Pace{gap: time.Second, latest: start}
	p.Sent(after(maxHold / 2))
	assertNext(t, &p, maxHold/2+time.Second)
	p.Sent(after(3 * maxHold))
	assertNext(t, &p, 3*maxHold)
}

// server is a model of one: it reports whether it takes a call now, and if not,
// what it asks to wait (0 = nothing).
type server func(now time.Time) (ok bool, retryAfter time.Duration)

func tokenBucket(perSecond, burst float64, says bool) server {
	tokens, last := burst, start
	return func(now time.Time) (bool, time.Duration) {
		tokens = min(burst, tokens+perSecond*now.Sub(last).Seconds())
		last = now
		if tokens >= 1 {
			tokens--
			return true, 0
		}
		if !says {
			return false, 0
		}
		return false, time.Duration(math.Ceil((1-tokens)/perSecond)) * time.Second
	}
}

func fixedWindow(n int, period time.Duration, says bool) server {
	var window time.Time
	taken := 0
	return func(now time.Time) (bool, time.Duration) {
		if w := now.Truncate(period); !w.Equal(window) {
			window, taken = w, 0
		}
		if taken++; taken <= n {
			return true, 0
		}
		if !says {
			return false, 0
		}
		return false, window.Add(period).Sub(now)
	}
}

// simulate sends calls one after the other as the pace says, each answered at
// once, and returns how many requests so many acceptances took, and how long.
func simulate(t *testing.T, serve server, calls int) (requests int, took time.Duration) {
	t.Helper()
	var p Pace
	now := start
	for accepted := 0; accepted < calls; requests++ {
		at, ok := p.Next()
		require.True(t, ok)
		now = later(now, at)
		cuts := p.Sent(now)
		now = now.Add(time.Millisecond)
		if taken, retryAfter := serve(now); taken {
			p.Accepted(cuts)
			accepted++
		} else {
			p.Refused(now, cuts, retryAfter)
		}
		require.LessOrEqual(t, p.gap, maxGap)
		require.Less(t, requests, 10*calls)
	}
	return requests, now.Sub(start)
}

func TestPaceFindsTheRate(t *testing.T) {
	const calls = 1000
	for name, c := range map[string]struct {
		serve  server
		at     float64 // per second
		within float64 // times as long as it takes at that rate
	}{
		"100/s":                           {tokenBucket(100, 1, false), 100, 4},
		"100/s, burst":                    {tokenBucket(100, 50, false), 100, 4},
		"100/s, burst, Retry-After":       {tokenBucket(100, 50, true), 100, 4},
		"10/s":                            {tokenBucket(10, 1, false), 10, 4},
		"1/s":                             {tokenBucket(1, 1, false), 1, 4},
		"100 in each second":              {fixedWindow(100, time.Second, false), 100, 4},
		"100 in each minute":              {fixedWindow(100, time.Minute, false), 100. / 60, 4},
		"100 in each minute, Retry-After": {fixedWindow(100, time.Minute, true), 100. / 60, 4},
	} {
		t.Run(name, func(t *testing.T) {
			requests, took := simulate(t, c.serve, calls)
			assert.LessOrEqual(t, requests, calls*12/10)
			assert.LessOrEqual(t, took.Seconds(), c.within*calls/c.at)
		})
	}
}

// A gap avoids no refusal where they come whatever the rate is. It must not grow
// until nothing is sent any more.
func TestRefusalsByChanceDoNotSlowDownWithoutEnd(t *testing.T) {
	n := 0
	everySecond := func(time.Time) (bool, time.Duration) {
		n++
		return n%2 == 0, 0
	}
	requests, took := simulate(t, everySecond, 1000)
	assert.LessOrEqual(t, requests, 2000)
	assert.Less(t, took, 10*time.Minute)
}

// FuzzPace lets calls and answers come in any order, and expects what always
// holds. Each byte is a step: its low bits what happens, the others how much time
// passes.
func FuzzPace(f *testing.F) {
	f.Add([]byte{0, 1, 0, 2, 3, 0xff, 0, 0, 1, 2})
	f.Fuzz(func(t *testing.T, steps []byte) {
		var p Pace
		now := start
		var flying []int // cuts of the calls in flight
		for _, step := range steps {
			now = now.Add(time.Duration(step>>2) * 100 * time.Millisecond)
			if step&3 == 0 {
				at, ok := p.Next()
				assert.Equal(t, len(flying) < MaxInFlight, ok)
				if ok && !at.After(now) {
					if p.row > 0 && len(flying) > 0 {
						assert.False(t, now.Before(p.latest.Add(maxGap)), "a probe goes alone")
					}
					flying = append(flying, p.Sent(now))
				}
				continue
			}
			if len(flying) == 0 {
				continue
			}
			cuts := flying[0]
			flying = flying[1:]
			switch step & 3 {
			case 1:
				p.Accepted(cuts)
			case 2:
				again := p.Refused(now, cuts, 0)
				assert.False(t, again.Before(now))
			case 3:
				p.Lost()
			}
			assert.LessOrEqual(t, p.hold.Sub(now), maxHold)
			assert.LessOrEqual(t, p.gap, maxGap)
		}
		// It always comes round when the server takes everything.
		for range flying {
			p.Lost()
		}
		for range 2000 {
			at, ok := p.Next()
			require.True(t, ok)
			now = later(now, at)
			p.Accepted(p.Sent(now))
		}
		at, _ := p.Next()
		assert.LessOrEqual(t, at.Sub(now), time.Millisecond)
	})
}
