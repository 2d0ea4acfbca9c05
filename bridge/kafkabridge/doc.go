// Package kafkabridge keeps the bridge's log in Kafka.
package kafkabridge
