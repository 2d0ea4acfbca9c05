// Package chaos soaks the RTM client: visitors of a fake Crisp count, while the
// network, Crisp and the client's own handlers misbehave by a schedule that a
// seed decides. What reached the client, what it handled and what it reported is
// written down, and must add up.
//
// What goes wrong (faults.go): the network (network.go), Crisp, frames that no server
// should send, and the program itself; clocks that are set, or differ
// (clocks.go); gateways, proxies and portals that answer in Crisp's place
// (middlebox.go); connections that live some seconds (lives.go); and a process that
// is frozen (freeze.go).
//
// The accounts (ledger.go): each message is handled once, or lies in a gap. The gap is
// reported before the next message is handled, and its backfill, if there is one,
// reports that it is not complete. REST is asked no more than the gaps need, and Run
// doesn't end before it is stopped.
//
// A round is a client's life of some minutes. Most rounds are played in virtual
// time, where an hour passes in seconds; others over real sockets. The tests
// have flags to make them long, and to play a round again by its seed; with -v they
// say how far they are:
//
//	go test ./internal/lab/chaos -v -timeout 1h -args -virtual=10m -real=10m
//	go test ./internal/lab/chaos -run Virtual -args -seed=42 -rounds=1
package chaos
