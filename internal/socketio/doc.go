// Package socketio is an Engine.IO and Socket.IO client over WebSocket.
//
// It speaks Engine.IO 4 (socket.io 3.x and 4.x servers) and Engine.IO 3 (2.x
// servers), in the namespace "/" only, without HTTP long-polling and without
// compression. It reads on the caller's goroutine: [Conn.Next] returns one
// event at a time, and answers the server's pings and acknowledgement requests
// on the way. Between two calls of Next nothing is read, so that an owner who
// can't keep up slows the server down by TCP's flow control; heartbeats are sent
// meanwhile all the same.
//
// Nothing that comes from the server is trusted. A packet that can't be used is
// skipped, and reported to [Options.OnSkip], whenever the connection can go on
// without it.
package socketio
