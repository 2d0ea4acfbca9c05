package main

import (
	"testing"

	"github.com/crisp-go/crisp/internal/leakcheck"
)

// Leave this file out of a copy: the package is this repository's own.
func TestMain(m *testing.M) { leakcheck.Main(m) }
