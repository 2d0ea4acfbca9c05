package main

// natsMutants are about a log in NATS JetStream.
var natsMutants = []mutant{
	{
		promise: "bridge: order",
		removed: "a client that is newly pinned has the server begin again with what is not done",
		in:      "bridge/natsbridge partition.resetConsumer",
		old:     "if _, err := p.c.e.js.ResetConsumer(ctx, p.c.e.cfg.logStream(), p.c.durable(p.number)); err != nil {",
		new:     "if err := ctx.Err(); err != nil {",
		tests:   "TestTakeOver",
		pkg:     "bridge/natsbridge/test",
	},
	{
		promise: "bridge: order",
		removed: "what the client had in its buffer before that is dropped",
		in:      "bridge/natsbridge partition.drop",
		old:     "\tp.buffer = nil\n",
		new:     "",
		tests:   "TestABrokenConnection",
		pkg:     "bridge/natsbridge/test",
	},
	{
		promise: "bridge: order",
		removed: "a message that comes again has those behind it come again",
		in:      "bridge/natsbridge partition.take",
		old:     "!p.reset || meta.Sequence.Consumer != p.next || meta.NumDelivered != 1",
		new:     "!p.reset || meta == nil",
		tests:   "TestPatience",
		pkg:     "bridge/natsbridge/test",
	},
	{
		promise: "bridge: at least once",
		removed: "what a dead member had in hand is another's also if nothing new comes",
		in:      "bridge/natsbridge partition.claim",
		old:     "if pinned, inHand, err := p.pinned(ctx); err != nil || pinned != \"\" || inHand == 0 {",
		new:     "if _, _, err := p.pinned(ctx); err == nil || err != nil {",
		tests:   "TestTakeOverInSilence",
		pkg:     "bridge/natsbridge/test",
	},
	{
		promise: "bridge: a dead leader's place is taken",
		removed: "a lease has its time again when it is renewed, which an update of the bucket takes from it",
		in:      "bridge/natsbridge lease.Acquire",
		old:     "err = l.e.put(ctx, l.subject, []byte(holder), ttl, jetstream.WithExpectLastSequencePerSubject(last.revision))",
		new: `if last.there {
			_, err = s.members.Update(ctx, strings.TrimPrefix(l.subject, l.e.cfg.bucketPrefix()), []byte(holder), last.revision)
		} else {
			err = l.e.put(ctx, l.subject, []byte(holder), ttl, jetstream.WithExpectLastSequencePerSubject(last.revision))
		}`,
		imports: "strings",
		tests:   "TestALeaseEndsAfterItWasRenewed",
		pkg:     "bridge/natsbridge/test",
	},
}
