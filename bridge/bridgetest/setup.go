package bridgetest

import (
	"testing"
	"time"
)

// setup is what a test makes of an engine.
type setup struct {
	engine Engine
	Instance
}

const (
	defaultPartitions = 4
	defaultPatience   = 30 * time.Second
	// shortPatience is that of tests that wait until it is over. A busy machine must not make
	// a member that works miss it.
	shortPatience = 2 * time.Second
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
