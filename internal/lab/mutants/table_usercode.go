package main

// userCodeMutants are about what users hand over besides handlers.
var userCodeMutants = []mutant{
	{
		promise: "other code of users panics, or ends its goroutine",
		removed: "a position that can't be saved ends nothing",
		in:      "RTM.savePosition",
		old:     "callUser(\"PositionStore.Save\", func() error { return t.cfg.position.Save(ctx, p) })",
		new:     "t.cfg.position.Save(ctx, p)",
		tests:   "TestAClientOutlivesWhatUsersHandOver",
	},
	{
		promise: "other code of users panics, or ends its goroutine",
		removed: "a backoff that dies is replaced",
		in:      "RTM.pause",
		old:     "safeBackoff{t.cfg.backoff, t.report}",
		new:     "t.cfg.backoff",
		tests:   "TestAClientOutlivesWhatUsersHandOver",
	},
	{
		promise: "other code of users panics, or ends its goroutine",
		removed: "a logger's handler ends nothing",
		in:      "WithLogger",
		old:     "slog.New(safeLog{logger.Handler()})",
		new:     "logger",
		tests:   "TestAClientOutlivesWhatUsersHandOver",
	},
	{
		promise: "other code of users panics, or ends its goroutine",
		removed: "an HTTP client that dies in a REST call has failed",
		in:      "Client.sendOnce",
		old:     "\terr = callUser(\"the HTTP client\", func() (err error) {\n\t\tanswer, err = c.exchange(whole, call, req)\n\t\treturn err\n\t})\n",
		new:     "\tanswer, err = c.exchange(whole, call, req)\n",
		tests:   "TestAClientOutlivesWhatUsersHandOver",
	},
	{
		promise: "other code of users panics, or ends its goroutine",
		removed: "an error handler that panics has told nobody",
		in:      "NewRouter",
		old:     "\tr.onError = withoutPanics(r.onError)\n",
		new:     "",
		tests:   "TestAnErrorHandlerThatDies",
	},
	{
		promise: "other code of users panics, or ends its goroutine",
		removed: "an error handler that ends its goroutine has told nobody",
		in:      "RTM.report",
		old:     "hear(t.handling, t.router.onError, err)",
		new:     "t.router.onError(t.handling, err)",
		tests:   "TestAnErrorHandlerThatDies",
	},
	{
		promise: "other code of users panics, or ends its goroutine",
		removed: "a store of deliveries that dies costs no delivery",
		in:      "deduper.lead",
		old:     "callUser(\"DedupeStore.MarkDone\", markDone)",
		new:     "markDone()",
		tests:   "TestAWebhookOutlivesItsStore",
	},
	{
		promise: "other code of users panics, or ends its goroutine",
		removed: "a position that can't be loaded is Run's error",
		in:      "RTM.loadPosition",
		old:     "\tvar p Position\n\terr := callUser(\"PositionStore.Load\", func() (err error) {\n\t\tp, err = t.cfg.position.Load(t.stopped)\n\t\treturn err\n\t})\n",
		new:     "\tp, err := t.cfg.position.Load(t.stopped)\n",
		tests:   "TestAPositionThatCanNotBeLoadedEndsRun",
	},
}
