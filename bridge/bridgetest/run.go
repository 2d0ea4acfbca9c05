package bridgetest

import (
	"testing"
	"testing/synctest"
	"time"
)

// Run tests an engine: each promise in a test of its own, with a log of its own.
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
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, virtual := e.(interface{ virtual() }); virtual {
				synctest.Test(t, func(t *testing.T) { test.run(t, &setup{engine: e}) })
				return
			}
			test.run(t, &setup{engine: e})
		})
	}
}

// setup is what a test makes of an engine.
type setup struct {
	engine Engine
	Instance
}

const (
	defaultPartitions = 4
	defaultPatience   = 30 * time.Second
	// enough is a time within which all that is waited for has come.
	enough = time.Minute
)

// start makes the instance. Without numbers of its own the configuration has the defaults.
func (s *setup) start(t *testing.T, c Config) {
	if c.Partitions == 0 {
		c.Partitions = defaultPartitions
	}
	if c.Patience == 0 {
		c.Patience = defaultPatience
	}
	s.Instance = s.engine.Start(t, c)
}
