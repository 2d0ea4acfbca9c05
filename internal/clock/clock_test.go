package clock_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/crisp-go/crisp/internal/clock"
)

func TestMomentsDoNotJump(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.New()
		before := c.Now()
		assert.Positive(t, before)
		<-time.After(time.Minute)
		clock.Step(-time.Hour)
		defer clock.Step(time.Hour)
		after := c.Now()
		assert.Equal(t, time.Minute, after.Sub(before))
		assert.Equal(t, time.Minute, c.Wall(after).Sub(c.Wall(before)), "by the clock as it is set now")
		assert.True(t, time.Now().Add(-time.Hour).Equal(c.Wall(after)))
		assert.Equal(t, before, c.OfWall(c.Wall(before)))
		assert.Equal(t, after, c.At(time.Now()))
	})
}

func TestLearn(t *testing.T) {
	tests := map[string]struct {
		knows  time.Duration
		date   time.Duration // ahead of the wall clock
		travel time.Duration
		want   time.Duration
	}{
		"the same time":                {0, 0, time.Second, 0},
		"less than a date can tell":    {0, -2 * time.Second, 0, 0},
		"behind":                       {0, -10 * time.Minute, 0, -10 * time.Minute},
		"ahead":                        {0, time.Hour, 100 * time.Millisecond, time.Hour},
		"as was known":                 {time.Minute, 61 * time.Second, 0, time.Minute},
		"no longer":                    {time.Minute, 0, 0, 0},
		"an answer that took its time": {0, 10 * time.Second, 20 * time.Second, 0},
		"a clock that is off by more":  {0, time.Minute, 20 * time.Second, time.Minute},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := clock.New()
				learn := func(ahead, travel time.Duration) {
					asked := c.Now()
					<-time.After(travel)
					c.Learn(c.Wall(asked.Add(travel/2)).Add(ahead), asked, c.Now())
				}
				learn(tt.knows, 0)
				learn(tt.date, tt.travel)
				now := c.Now()
				assert.Equal(t, tt.want, c.Crisp(now).Sub(c.Wall(now)))
				assert.Equal(t, now, c.OfCrisp(c.Crisp(now)))
			})
		})
	}
}

// A stamp is dated rightly whatever was done to the wall clock since.
func TestStamps(t *testing.T) {
	for name, c := range map[string]struct {
		step  time.Duration
		knows bool // Crisp's time
		since time.Duration
	}{
		"nothing happened":        {0, true, time.Minute},
		"set back":                {-time.Hour, true, time.Minute},
		"set forward":             {48 * time.Hour, true, time.Minute},
		"set back, Crisp unknown": {-time.Hour, false, time.Minute},
		"set forward, or suspended: nobody can tell": {48 * time.Hour, false, 48*time.Hour + time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := clock.New()
				learn := func(date time.Time) {
					if c.knows {
						k.Learn(date, k.Now(), k.Now())
					}
				}
				learn(time.Now())
				stamp := k.Stamp(k.Now())
				<-time.After(time.Minute)
				clock.Step(c.step)
				defer clock.Step(-c.step)
				learn(time.Now())
				assert.Equal(t, c.since, k.Since(stamp))
				date, crisp := k.Dates(stamp)
				assert.Equal(t, c.since, k.Wall(k.Now()).Sub(date))
				assert.Equal(t, c.knows, !crisp.IsZero())
			})
		})
	}
}

// A machine that was suspended has lost steady time, which Crisp's clock makes up
// for.
func TestStampsOutliveASuspension(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := clock.New()
		k.Learn(time.Now(), k.Now(), k.Now())
		stamp := k.Stamp(k.Now())
		<-time.After(time.Second)
		k.Learn(time.Now().Add(time.Hour), k.Now(), k.Now())
		assert.Equal(t, time.Hour+time.Second, k.Since(stamp))
	})
}
