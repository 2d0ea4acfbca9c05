package storetest

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

// Nobody returns an address on loopback at which nobody listens.
func Nobody(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	return l.Addr().String()
}
