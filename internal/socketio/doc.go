// Package socketio is an Engine.IO and Socket.IO client over WebSocket.
//
// It speaks Engine.IO 4 (socket.io 3.x and 4.x servers) and Engine.IO 3 (2.x
// servers), in the namespace "/" only, without HTTP long-polling and without
// compression. One goroutine, the caller's, reads: [Conn.Next] returns one
// event at a time and answers the server's pings and acknowledgement requests
// on the way. Between two calls of Next nothing is read, so that an owner who
// can't keep up pushes back on the server through TCP; heartbeats keep flowing
// meanwhile.
//
// Whatever comes off the wire is untrusted. A packet that can't be used is
// skipped, and reported to [Options.OnSkip], whenever the session can go on
// without it.
package socketio
