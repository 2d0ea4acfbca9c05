package crisp_test

import _ "github.com/googollee/go-socket.io" // the independent Engine.IO 3 peer of the conformance tests
