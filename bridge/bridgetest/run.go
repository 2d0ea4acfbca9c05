package bridgetest

import (
	"fmt"
	"testing"
	"testing/synctest"
)

// Run tests an engine: each promise in a test of its own, with a log of its own. The last
// are rounds of chaos, which kill what can be killed in an order that a seed decides:
//
//	go test -run TestNATS -bridgetest.rounds=100 -bridgetest.seed=1 -timeout=1h
func Run(t *testing.T, e Engine) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, s *setup)
	}{
		{"a lease has one holder", leaseHasOneHolder},
		{"a lease ends by itself", leaseEndsByItself},
		{"one leads at a time", oneLeads},
		{"positions", positions},
		{"another number of partitions is refused", partitionsAreChecked},
		{"what is published is stored", publishedIsStored},
		{"an ID is stored once", storedOnce},
		{"too large", tooLarge},
		{"order with several members", orderOfSeveral},
		{"groups are apart", groupsAreApart},
		{"slow handlers", slowHandlers},
		{"a retry keeps the order", retryKeepsOrder},
		{"poison", poison},
		{"what is not done comes again", comesAgain},
		{"a partition has one owner", oneOwner},
		{"partitions are shared", sharing},
		{"abrupt death", abruptDeath},
		{"death in a handler", deathInAHandler},
	} {
		t.Run(test.name, func(t *testing.T) { run(t, e, test.run) })
	}
	for n := range *rounds {
		t.Run(fmt.Sprint("chaos ", *seed+uint64(n)), func(t *testing.T) {
			run(t, e, func(t *testing.T, s *setup) { chaos(t, s, *seed+uint64(n)) })
		})
	}
}

// run runs a test, in a bubble if the engine can be in one.
func run(t *testing.T, e Engine, test func(t *testing.T, s *setup)) {
	if _, virtual := e.(interface{ virtual() }); virtual {
		synctest.Test(t, func(t *testing.T) { test(t, &setup{engine: e}) })
		return
	}
	test(t, &setup{engine: e})
}
