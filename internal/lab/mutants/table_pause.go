package main

// pauseMutants are about a bot that keeps out of what persons do.
var pauseMutants = []mutant{
	{
		promise: "a person answers while the bot thinks, or while RTM is down",
		removed: "a pause acts when the answer arrives",
		in:      "RTM.read",
		old:     "\t\t\t\tt.router.arrived(ev)\n",
		new:     "\t\t\t\t_ = ev\n",
		tests:   "TestAPersonsAnswerActsWhenItArrives/RTM",
	},
	{
		promise: "a person answers while the bot thinks, or while RTM is down",
		removed: "the handler that runs is interrupted",
		in:      "Pauses.answered",
		old:     "\tp.running.interrupt(ref, func(*turn) bool { return true }, ErrPaused)\n",
		new:     "",
		tests:   "TestAPersonsAnswerActsWhenItArrives",
	},
	{
		promise: "a person answers while the bot thinks, or while RTM is down",
		removed: "what it sends is refused",
		in:      "running.do",
		old:     "handle(withSendRefusal(inner, func(of SessionRef) error { return r.refusal(this, of == ref) }))",
		new:     "handle(inner)",
		tests:   "TestAPersonsAnswerActsWhenItArrives",
	},
	{
		promise: "a person answers while the bot thinks, or while RTM is down",
		removed: "what was missed is looked at whole",
		in:      "RTM.newBackfill",
		old:     "if t.router.looksAtRecovered() {",
		new:     "if false {",
		tests:   "TestRecoveredConversationsAreLookedAtWhole",
	},
	{
		promise: "a person answers while the bot thinks, or while RTM is down",
		removed: "all pages of it",
		in:      "internal/backfill fill.gather",
		old:     "t.cost <= f.cfg.MaxAhead/wholeShare",
		new:     "false && t.cost <= f.cfg.MaxAhead/wholeShare",
		tests:   "TestRecoveredConversationsAreLookedAtWhole/behind_more_than_a_page",
	},
	{
		promise: "a person answers while the bot thinks, or while RTM is down",
		removed: "and so is the state",
		in:      "Pauses.recovered",
		old:     "state != \"\" && ends(",
		new:     "state == \"\" && ends(",
		tests:   "TestRecoveredConversationsAreLookedAtWhole",
	},
	{
		promise: "a person answers while the bot thinks, or while RTM is down",
		removed: "an older state does not end a pause",
		in:      "Pauses.resume",
		old:     "arrival == 0 || by.arrival <= arrival",
		new:     "true || by.arrival <= arrival",
		tests:   "TestAnOlderStateDoesNotEndAPause",
	},
	{
		promise: "a person answers while the bot thinks, or while RTM is down",
		removed: "an old answer does not pause again",
		in:      "RTM.recoveredAll",
		old:     "!ok || !t.seen.Repeats(key, true)",
		new:     "!ok || key != 0",
		tests:   "TestAnOldAnswerDoesNotPauseAgain",
	},
}
