// Package bridge takes Crisp's events into the durable log of a distributed engine, and
// runs the same handlers behind it: on one machine or on many, each event at least
// once, those of a conversation in order.
//
//	crisp ──RTM, web hooks──▶ Publish ──▶ engine ──▶ Consume ──▶ crisp.Router
//
// The processes that receive register [Publish] with their router, and their RTM client
// has [Intake.Hooks]: of several, one at a time has the connection ([crisp.Lead], with a
// lease and a position of the engine's), and all may have web hooks. The processes that
// handle call [Consume] with the router that they would have without a log.
//
// What is stored is a [Message]: an event with the attributes of a CloudEvent, or a
// [Control], such as a gap. The log has a number of partitions, which does not change; the
// messages of a conversation are in one of them ([PartitionOf]), and each partition is one
// member's of a group at a time.
//
// This package has no engine. Those are modules of their own: natsbridge (NATS
// JetStream), natsembed (a NATS server within the program) and kafkabridge (Kafka). They
// implement [Publisher] and [Consumer], [crisp.Lease] and [crisp.PositionStore]. Package
// bridgetest has one in memory for tests, and the tests that every engine must pass.
package bridge
