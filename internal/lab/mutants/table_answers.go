package main

// answerMutants are about what answers of REST mean, and whose they are.
var answerMutants = []mutant{
	{
		promise: "REST answered by a gateway",
		removed: "it refuses no credentials",
		in:      "APIError.refusesToken",
		old:     "e.FromCrisp() && ",
		new:     "",
		tests:   "TestRunOutlivesWhatIsNotCrispsWord TestAGatewaysRefusalIsNotCrisps TestFatal",
	},
	{
		promise: "REST answered by a gateway",
		removed: "it is never final",
		in:      "final",
		old:     "refusal.FromCrisp() &&",
		new:     "",
		tests:   "TestRunOutlivesWhatIsNotCrispsWord TestBackfillAsksAgainWhatIsNotCrispsWord TestFatal",
	},
	{
		promise: "a backfill answered by a gateway",
		removed: "its 404 removes no conversation",
		in:      "gone",
		old:     "(refusal.Reason == reasonConversation || refusal.Reason == reasonOldSession)",
		new:     "true",
		tests:   "TestBackfillAsksAgainWhatIsNotCrispsWord TestBackfillIsNotDisturbedByOneConversation",
	},
	{
		promise: "REST answered by a gateway",
		removed: "JSON must have all that Crisp's refusals have",
		in:      "envelope.whole",
		old:     "e.Error != nil && e.Reason != nil",
		new:     "e.Error != nil || e.Reason != nil",
		tests:   "TestAGatewaysRefusalIsNotCrisps",
	},
	{
		promise: "a token without the scope",
		removed: "it is not taken for refused credentials",
		in:      "APIError.lacksScope",
		old:     "return e.Reason == reasonScope || e.Reason == reasonTier",
		new:     "return false",
		tests:   "TestCrispsRefusalsSayWhatToCheck",
	},
	{
		promise: "the daily quota is used up",
		removed: "status 423 says so",
		in:      "APIError.overQuota",
		old:     "e.StatusCode == http.StatusLocked ||",
		new:     "false ||",
		tests:   "TestAUsedUpQuotaIsNeverRepeated TestAUsedUpQuotaEndsABackfill",
	},
	{
		promise: "the daily quota is used up",
		removed: "a call is not repeated then",
		in:      "call.failed",
		old:     "errors.Is(err, ErrQuota)",
		new:     "false && errors.Is(err, ErrQuota)",
		tests:   "TestAUsedUpQuotaIsNeverRepeated TestAUsedUpQuotaEndsABackfill",
	},
	{
		promise: "the daily quota is used up",
		removed: "it is no refusal of one conversation alone",
		in:      "final",
		old:     "!refusal.overQuota() &&",
		new:     "",
		tests:   "TestAUsedUpQuotaEndsABackfill",
	},
}
