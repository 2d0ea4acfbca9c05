package crisp

import (
	"sync/atomic"
	"time"
)

// An arrival is when an event comes, which may be long before it has its turn: other
// events of its conversation are handled before it. What has to be known at once, such
// as that a person has answered, is told by arrival. Whoever hears of it must not wait
// for anything: an RTM client's reader does not read on meanwhile.

// arrivals are those who hear of events when they come, by the name in the catalog. A
// nil among them only wants to have the order of arrival noted in Meta.
type arrivals struct {
	byName    map[string][]func(ev Event)
	recovered []recoveredWatcher
	count     atomic.Uint64
}

// recoveredWatcher hears of a conversation whose missed messages were fetched, after
// their arrivals and before the first is handled. after, unless it is nil, is called
// when the last of them was handled.
type recoveredWatcher func(recovered) (after func())

// recovered is a conversation of which messages were missed.
type recovered struct {
	SessionRef
	state   SessionState // in which it was when it was listed; empty if that is not known
	changed time.Time    // when it had changed last by then, by Crisp's clock
	missed  []Event      // the messages
}

func newArrivals() arrivals { return arrivals{byName: make(map[string][]func(Event))} }

// onArrival lets somebody learn of the events of a name when they come. They are
// subscribed to as if they had a handler.
func (r *Router) onArrival(name string, hear func(ev Event)) {
	r.register(func() { r.arrivals.byName[name] = append(r.arrivals.byName[name], hear) })
}

func (r *Router) onRecovered(w recoveredWatcher) {
	r.register(func() { r.arrivals.recovered = append(r.arrivals.recovered, w) })
}

// hearsOf reports whether anybody wants to know of the arrival of events of a name.
func (r *Router) hearsOf(name string) bool {
	return len(r.arrivals.byName) > 0 && len(r.arrivals.byName[canonicalName(name)]) > 0
}

// arrived tells of an event that has just come. A transport that doesn't leave that to
// Dispatch has to call it once for each event, in their order.
func (r *Router) arrived(ev Event) { r.arrivedAs(ev, &r.arrivals.count) }

// arrivedAs tells of an event, whose place in the order is the next of a count.
func (r *Router) arrivedAs(ev Event, count *atomic.Uint64) {
	hearers := r.arrivals.byName[canonicalName(ev.EventName())]
	if len(hearers) == 0 {
		return
	}
	setArrival(ev, count.Add(1))
	for _, hear := range hearers {
		if hear != nil {
			hear(ev)
		}
	}
}

// looksAtRecovered reports whether the missed messages of a conversation have to be
// known before the first of them is handled.
func (r *Router) looksAtRecovered() bool { return len(r.arrivals.byName) > 0 }

// missedArrivals are the places in the order that are kept for what is missed in a gap.
const missedArrivals = 1 << 32

// keepArrivals keeps places for what was missed up to now, before all that comes from
// now on, and returns the last one before them.
func (r *Router) keepArrivals() uint64 {
	return r.arrivals.count.Add(missedArrivals) - missedArrivals
}

// recoveredAll tells of all missed messages of a conversation. count has the places
// that were kept for them.
func (r *Router) recoveredAll(of recovered, count *atomic.Uint64) (after func()) {
	for _, ev := range of.missed {
		r.arrivedAs(ev, count)
	}
	var then []func()
	for _, w := range r.arrivals.recovered {
		if f := w(of); f != nil {
			then = append(then, f)
		}
	}
	if then == nil {
		return nil
	}
	return func() {
		for _, f := range then {
			f()
		}
	}
}

// arrivalOf is the event's place in the order in which the router heard of events; 0 if
// nobody asked for it.
func arrivalOf(ev Event) uint64 {
	identities.Lock()
	defer identities.Unlock()
	if i := ev.EventMeta().identity; i != nil {
		return i.arrival
	}
	return 0
}

func setArrival(ev Event, arrival uint64) {
	i := identityOf(ev.EventMeta())
	identities.Lock()
	defer identities.Unlock()
	i.arrival = arrival
}

// settle notes that somebody has dealt with what an event tells.
func settle(ev Event) {
	i := identityOf(ev.EventMeta())
	identities.Lock()
	defer identities.Unlock()
	i.settled = true
}

func settled(ev Event) bool {
	identities.Lock()
	defer identities.Unlock()
	i := ev.EventMeta().identity
	return i != nil && i.settled
}
