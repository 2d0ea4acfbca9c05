package main

// historyMutants are about reading a conversation's messages page by page.
var historyMutants = []mutant{
	{
		promise: "a bound that is not heeded",
		removed: "messages that a page repeats are known as long as it may",
		in:      "messageWalk.advance",
		old:     "\tfor _, m := range page {\n\t\tw.seen[sightingOf(m)] = true\n\t}\n",
		new:     "\tfor _, m := range page {\n\t\tw.seen[sightingOf(m)] = true\n\t}\n\tmaps.DeleteFunc(w.seen, func(m sighting, _ bool) bool { return w.passed(m.at) })\n",
		tests:   "TestMessagesOfAServerThatIgnoresTheBound TestBackfillFromAServerThatIgnoresTheBound",
	},
	{
		promise: "messages without fingerprints",
		removed: "they are known again by their time",
		in:      "messageWalk.repeats",
		old:     "return w.seen[sightingOf(m)]",
		new:     "return m.Fingerprint != 0 && w.seen[sightingOf(m)]",
		tests:   "TestMessagesWithoutFingerprintsEndTheWalk TestBackfillFromAServerThatIgnoresTheBound",
	},
	{
		promise: "backfill",
		removed: "a page of messages of two times that overlap does not end it",
		in:      "messageWalk.advance",
		old:     "newest-oldest <= 1",
		new:     "newest == oldest",
		tests:   "TestMessagesBehindAPageOfTwoTimes",
	},
}
