// Package bridge takes Crisp's events into the durable log of a distributed engine, and
// runs the same handlers behind it: on one machine or on many, each event at least
// once, those of a conversation in order.
//
//	crisp ──RTM, web hooks──▶ Publish ──▶ engine ──▶ Consume ──▶ crisp.Router
//
// This package has no engine. Those are modules of their own: natsbridge (NATS
// JetStream), natsembed (a NATS server within the program) and kafkabridge (Kafka).
package bridge
