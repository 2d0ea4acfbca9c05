package crisp

import (
	"testing"

	"github.com/crisp-go/crisp/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// What tests of package crisp_test need from the inside.
var (
	NewHTTPClient   = newHTTPClient
	ParseRetryAfter = parseRetryAfter
)

const DefaultConnectTimeout = defaultConnectTimeout
