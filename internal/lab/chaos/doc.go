// Package chaos soaks the RTM client: visitors of a fake Crisp count, while the
// network, Crisp and the client's own handlers misbehave by a schedule that a
// seed decides. What reached the client, what it handled and what it reported is
// written down, and must add up.
//
// A round is a client's life of some minutes. Most rounds are played in virtual
// time, where an hour passes in seconds; others over real sockets. The tests
// have flags to make them long, and to play a round again by its seed:
//
//	go test ./internal/lab/chaos -args -virtual=10m -real=10m
//	go test ./internal/lab/chaos -run Virtual -args -seed=42 -rounds=1
package chaos
