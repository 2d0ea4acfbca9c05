package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestPolicyIsGentlerThanTheOfficialSDKs(t *testing.T) {
	sc := scenario{clients: 10_000, outage: time.Minute}
	ours := simulate(policies()[0], sc, 1)
	for _, other := range policies()[1:] {
		theirs := simulate(other, sc, 1)
		assert.Less(t, ours.peak, theirs.peak/3, "peak attempts per second, against the %s", other.name)
	}
	assert.LessOrEqual(t, ours.restored, time.Minute, "the cap on a wait bounds the time to come back")
}

func TestShortOutageIsOverSooner(t *testing.T) {
	mean := func(p policy) time.Duration {
		// One client at a time: the time to come back, over many outages.
		var sum time.Duration
		const outages = 2000
		for seed := range uint64(outages) {
			sum += simulate(p, scenario{clients: 1, outage: 3 * time.Second}, seed).restored
		}
		return sum / outages
	}
	ours := mean(policies()[0])
	for _, other := range policies()[1:] {
		assert.Less(t, ours, mean(other), "mean time to come back, against the %s", other.name)
	}
}

func TestSimulation(t *testing.T) {
	always := policy{"every second", nil}
	always.delay = func(_ randSource, _ int) time.Duration { return time.Second }

	r := simulate(always, scenario{clients: 100, outage: 2500 * time.Millisecond}, 1)
	assert.Equal(t, result{peak: 100, restored: 500 * time.Millisecond, attempts: 300}, r)

	r = simulate(always, scenario{clients: 100, outage: 2500 * time.Millisecond, capacity: 50}, 1)
	assert.Equal(t, result{peak: 100, restored: 1500 * time.Millisecond, attempts: 350}, r)
}
