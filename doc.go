// Package crisp receives what happens on Crisp, the customer-messaging
// platform, as typed Go values: over the RTM API (a Socket.IO stream) and by
// web hook, through one router.
//
// # From zero to a handler
//
// Register callbacks on a [Router]; the callback's type says which of the 82
// events it is for:
//
//	router := crisp.NewRouter()
//	crisp.On(router, func(ctx context.Context, ev *crisp.MessageSend) error {
//		fmt.Println(ev.User.Nickname, "says", ev.Content)
//		return nil
//	})
//
// Then let events come over the RTM API, with the token of a plugin, of a
// website or of an operator's account:
//
//	client, err := crisp.New(crisp.PluginToken(identifier, key))
//	…
//	rtm, err := client.NewRTM(router)
//	…
//	err = rtm.Run(ctx) // connects, authenticates, dispatches, reconnects
//
// or by web hook, with the same router:
//
//	handler, err := crisp.NewWebhook(router, crisp.WithSigningSecrets(secret))
//	…
//	http.Handle("/hooks/crisp", handler)
//
// # Events
//
// There is one struct for each documented event, such as [MessageSend] or
// [SessionSetState]; all implement [Event], and embed a [Meta] that says where
// the event came from. [Events] is the catalog. What a message holds is a
// [Content].
//
// The types are tolerant, because live traffic drifts from all documentation.
// A field of an unexpected JSON type is left zero and listed in Meta.Problems;
// an event of an unknown name comes as [*UnknownEvent]; the payload as it was
// received is always in Meta.Raw. Zero and absent mean the same, times are
// [time.Time], fields with a closed set of values have a type with constants.
//
// # Delivery
//
// The events of a conversation reach their handlers in order, one at a time;
// [WithConcurrency] lets several conversations be handled at a time. The
// connection is read independently of the handlers, through a queue that is
// bounded in bytes ([WithQueue]). Whenever events may have been missed, Hooks.Gap
// is called with the span; [WithBackfill] fetches the messages of it over REST, and
// [WithPosition] makes both work over a restart of the program.
//
// # Acting
//
// [Client.Reply] answers into the conversation of an event. Other methods of [Client]
// are for messages, conversations and the websites of a plugin; [Client.Do]
// reaches every route of the REST API. All calls of a client keep to one pace,
// which Crisp's refusals set, and a call that may have had its effect is not
// repeated unless its context says that this is harmless ([Idempotent]); one that
// creates something never is.
//
// A bot that is left running needs guards: [IgnoreOperators], [IgnoreAutomated],
// [IgnoreSelf], [PauseOnHuman], [Supersede], [LimitReplies], [Typing]. [Retry] runs
// handlers again that have failed. Where an event comes more than once, by both
// transports or to several processes, [Once] has it handled once; [Lead] lets one of
// several processes work.
//
// # Errors
//
// Conditions to test for are sentinels such as [ErrUnauthorized]; refusals by
// the REST API are [*APIError], arguments that it would refuse [*InvalidError];
// what a handler returned comes to the router's error handler as
// [*HandlerError]. Trouble that has no other way to be reported goes to
// [slog.Default], or to the logger of [WithLogger]. Neither errors nor logs show
// keys, secrets or what messages say.
//
// # Testing
//
// Package crisptest is a complete Crisp on loopback, or in memory with virtual
// time, for the tests of programs that use this package.
package crisp
