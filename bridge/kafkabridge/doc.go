// Package kafkabridge keeps the bridge's log in Kafka, version 2.5 or later, or what speaks
// its protocol with groups, transactions and compacted topics.
//
//	engine, err := kafkabridge.New([]string{"kafka-1:9092", "kafka-2:9092"},
//		kafkabridge.WithClient(kgo.DialTLSConfig(new(tls.Config)), kgo.SASL(user.AsSha256Mechanism())))
//	err = engine.Setup(ctx)
//	…
//	bridge.Publish(router, engine.Publisher())
//	consumer, err := engine.Consumer("support-bot")
//
// What is in the cluster, with the prefix "crisp":
//
//	topic crisp.v1           the log: the key is the conversation, or else the website
//	topic crisp.dlq.{group}  dead letters: compacted, one partition
//	topic crisp.leases       compacted, one partition
//	topic crisp.positions    compacted, one partition
//	group crisp.{group}      who consumes, and how far the group is
//
// [Engine.Setup], and the first dead letter of a group, make the topics that are not there. A
// program that may not make topics needs them from its operator, with these partitions,
// cleanup.policy=compact where it says so, and min.insync.replicas one less than the replicas. A
// program needs the rights to read and write the topics, to use the group, and the
// transactional IDs crisp.leases.{name}.
//
// # How it keeps its promises
//
// Order: one idempotent producer for a process, acknowledged by all replicas in sync, and the
// partition of a message by [bridge.PartitionOf], not by the client's hash.
//
// Stored once: Kafka knows no IDs. A process does not store an ID again that it has stored, of the
// last 65,536; what several processes have stored, such as two that have the RTM connection one
// after the other, consumers skip: who has a partition knows the last 4,096 IDs, also those
// from before it had the partition, which it reads again. So a repetition is skipped by all
// groups in the same way, if there are less than 4,096 messages of its partition in between.
//
// A group that had no members for longer than the brokers' offsets.retention.minutes, 7 days, is
// a new one to them: it begins with the oldest message again.
//
// At least once: what is committed is the offset up to which all is done, soon after it
// changes. Partitions come and go only between two fetches; one that goes has its handlers
// ended, awaited ([WithHandover]), and its offset committed before anybody else begins. A member
// that the brokers do not answer ends its handlers after four fifths of [WithMemberTTL], before the
// brokers take it for dead. A process that is stopped can't do that, as with [crisp.Lead].
//
// # What it was tried with
//
// The tests run with kfake, franz-go's brokers within the program: with several members, with
// connections that are cut, processes that die, and answers of brokers that are errors or get lost.
// It was not tried with a real cluster: not what happens when brokers fail over, when a disk is
// lost, or how fast it is there.
package kafkabridge
