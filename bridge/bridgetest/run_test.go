package bridgetest

import (
	"testing"

	"github.com/crisp-go/crisp/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func TestMemory(t *testing.T) { Run(t, Memory{}) }
