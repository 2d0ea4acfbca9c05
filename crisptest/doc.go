// Package crisptest is a complete Crisp for tests, on loopback or in memory: the
// REST API, the RTM API (Engine.IO 4 and 3 over WebSocket) and signed web hooks.
// It needs no account, no keys and no network.
//
//	srv := crisptest.NewServer(t)
//	rtm, err := srv.Client().NewRTM(router)
//	…
//	srv.Run(t, rtm)
//	visitor := srv.Visitor()
//	visitor.Say("Where is my order?")
//	answer, err := visitor.WaitAnswer(t.Context())
//
// # Conversations and events
//
// The server keeps conversations as Crisp does. Whatever a [Visitor] or an
// [Operator] does, or the program under test does over REST, changes them, and is
// sent as events over the RTM API and by web hook. It keeps contacts, too: see
// [Server.AddProfile] and [Profile]. [Server.Emit] sends any other
// event, and [Server.HandleREST] adds any other REST route.
//
// The protocols are the real ones, so that any program can be tested whose base
// URL can be set, whatever SDK it uses: [Server.URL] is the base URL of the REST
// API, which says where the RTM API is.
//
// # What happened
//
// [Server.Sessions], [Server.Binds], [Server.Requests], [Server.Sent],
// [Server.Deliveries] and [Server.Handled] list what the program under test has
// done, up to a limit ([WithHistory]). The methods whose names begin with Wait wait for it: until the context
// ends, or for 30 s if the context has no deadline. Their errors list what
// happened instead.
//
// # Faults
//
// Every way in which Crisp or the network can fail is a method, such as
// [Server.DropConnections], [Server.GoSilent] and [Server.FailREST]. Faults can
// be combined, and [Server.Heal] ends those that last.
//
// # Time
//
// With [InMemory] the server uses no sockets and works inside a
// [testing/synctest] bubble, where minutes of backoff take no time.
//
// # Sessions
//
// A [Session] is an RTM session, the connection of a client. What Crisp calls the
// session of a visitor is a [Conversation] here; only its identifier is called a
// session ID.
package crisptest
