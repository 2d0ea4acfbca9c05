// Package crisptest runs a complete Crisp on loopback, for tests: the REST API,
// the RTM API (Engine.IO 4 and 3 over WebSocket) and signed web hooks, with no
// account, no keys and no network.
//
//	srv := crisptest.NewServer(t)
//	rtm, err := srv.Client().NewRTM(router)
//	…
//	srv.Run(t, rtm)
//	visitor := srv.Visitor()
//	visitor.Say("Where is my order?")
//	answer, err := visitor.WaitAnswer(t.Context())
//
// What the program under test does over REST has the effects that it has with
// Crisp: its messages are in the conversation, and come back over RTM and by web
// hook. [Server.Emit] sends any other event.
//
// It speaks the real protocol, so that any program that can be told a URL can
// be tested with it, whatever SDK it uses: [Server.URL] is the REST API, which
// tells where RTM is.
//
// Every way in which Crisp or the network can fail is a method:
// [Server.DropConnections], [Server.GoSilent], [Server.FailREST] and so on.
// They compose, and [Server.Heal] ends those that last.
//
// With [InMemory] nothing touches a socket, and the server works inside a
// [testing/synctest] bubble: minutes of backoff pass in no time.
package crisptest
