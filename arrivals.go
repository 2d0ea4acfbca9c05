package crisp

import (
	"sync/atomic"
	"time"
)

// An event arrives when it is received, which may be long before its handlers run: those of
// its conversation's earlier events come first. Some things have to be known at once, such as
// that a person has answered: there are callbacks for the arrival. They must not wait for
// anything, since they run on the reading goroutine of an RTM client.

// arrivals has the callbacks for arriving events, by the name in the catalog. A nil callback
// only has the order of arrival noted in Meta.
type arrivals struct {
	byName    map[string][]func(ev Event)
	recovered []recoveredWatcher
	count     atomic.Uint64 // places given so far in the order of arrival
}

// recoveredWatcher is called for a conversation whose missed messages were fetched: after the
// callbacks for their arrival, and before the first of them is handled. after, unless it is
// nil, is called when the last of them was handled.
type recoveredWatcher func(recovered) (after func())

// recovered is a conversation of which messages were missed.
type recovered struct {
	SessionRef
	state   SessionState // when it was listed; empty if not known
	changed time.Time    // its last change before it was listed, by Crisp's clock
	missed  []Event      // the messages
}

func newArrivals() arrivals { return arrivals{byName: make(map[string][]func(Event))} }

// onArrival registers a callback for the arrival of the events of a name, which are subscribed
// to as if they had a handler.
func (r *Router) onArrival(name string, hear func(ev Event)) {
	r.register(func() { r.arrivals.byName[name] = append(r.arrivals.byName[name], hear) })
}

// onRecovered registers a callback for conversations whose missed messages were fetched.
func (r *Router) onRecovered(w recoveredWatcher) {
	r.register(func() { r.arrivals.recovered = append(r.arrivals.recovered, w) })
}

// hearsOf reports whether there are callbacks for the arrival of events of a name.
func (r *Router) hearsOf(name string) bool {
	return len(r.arrivals.byName) > 0 && len(r.arrivals.byName[canonicalName(name)]) > 0
}

// arrived runs the callbacks for an event that has just come. Dispatch calls it; a transport
// that knows of arrivals earlier calls it by itself, once for each event and in their order,
// and then dispatch.
func (r *Router) arrived(ev Event) { r.arrivedAs(ev, &r.arrivals.count) }

// arrivedAs is arrived for an event whose place in the order is the next of a count.
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

// missedArrivals is how many places in the order of arrival are kept for a gap.
const missedArrivals = 1 << 32

// keepArrivals keeps places for what was missed in a gap, before those of all that arrives
// from now on. It returns the place before the first of them.
func (r *Router) keepArrivals() uint64 {
	return r.arrivals.count.Add(missedArrivals) - missedArrivals
}

// recoveredAll runs the callbacks for all missed messages of a conversation. count is the last
// place that was given of those that keepArrivals kept. after is nil if there is nothing to
// call.
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

// arrivalOf returns the event's place in the order of arrival, from 1; 0 if there is no
// callback for its arrival.
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

// settle marks an event as one that somebody has dealt with: see PauseOnHuman.
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
