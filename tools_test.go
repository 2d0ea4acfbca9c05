package crisp_test

import (
	_ "github.com/coder/websocket"
	_ "github.com/googollee/go-socket.io"
	_ "github.com/jarcoal/httpmock"
	_ "github.com/stretchr/testify/require"
)
