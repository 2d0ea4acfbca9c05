package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestConversationsAreSharedEvenly(t *testing.T) {
	l := load{websites: 1000, rate: 10_000, skew: 1, each: 0.25, apart: 0.02}
	o := share(l, 16, 4, 1)
	assert.InDelta(t, 39_200, o.conversations, 1000)
	assert.Less(t, o.partition, 1.2)
	assert.Less(t, o.worker, 1.1)
	assert.GreaterOrEqual(t, o.worker, 1.0)
}

// TestAWebsitesOwnEventsAreOneKey: what belongs to no conversation can't be shared.
func TestAWebsitesOwnEventsAreOneKey(t *testing.T) {
	o := share(load{websites: 1, rate: 100, each: 1, apart: 1}, 16, 4, 1)
	assert.InDelta(t, 16, o.partition, 0.01)
	assert.InDelta(t, 4, o.worker, 0.01)
	assert.InDelta(t, 100, o.key, 0.01)
	assert.Zero(t, o.conversations)
}
