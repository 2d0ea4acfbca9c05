package chaos

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/crisp-go/crisp"
)

// event is a visitor's message, by what it counts.
type event struct {
	session string
	number  string
}

// ledger is what happened in a round, written down where it happened.
type ledger struct {
	mu       sync.Mutex             // guards all but wall, which has its own
	sent     map[string][]time.Time // by session; the index is the number
	came     map[event]bool         // whole, on connections that the client read to their end
	handled  map[string][]handled   // by session, in order
	gaps     []told
	outcomes []crisp.Backfilled
	dropped  int // received, but not handled
	stops    int // of the client
	closes   int // of these, without a drain
	skipped  int
	trouble  []trouble
	moments  int
	wall     *wallClock
	asked    []time.Time // REST calls of the client
	listing  int         // lists of conversations that are being asked for
	notes    []string    // violations that were seen at once
}

// trouble is why the client had to connect again.
type trouble struct {
	at time.Time
	crisp.Retrying
}

// handled is an event that its handler was done with.
type handled struct {
	number int
	moment int // what came first, it or a gap's hook
	at     time.Time
	source crisp.Source
}

// told is a gap as the Gap hook was called with it. Its own times are by the clock of
// the machine, which a round sets wrong; from and to are the true times.
type told struct {
	crisp.Gap
	moment   int
	from, to time.Time
}

func newLedger() *ledger {
	return &ledger{
		sent:    make(map[string][]time.Time),
		came:    make(map[event]bool),
		handled: make(map[string][]handled),
		wall:    new(wallClock),
	}
}

// next returns the number that a session says next, and records it as sent.
func (l *ledger) next(session string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent[session] = append(l.sent[session], time.Now())
	return len(l.sent[session]) - 1
}

func (l *ledger) arrived(events []event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, ev := range events {
		l.came[ev] = true
	}
}

func (l *ledger) handle(ev *crisp.MessageSend) {
	text, _ := ev.Content.(crisp.TextContent)
	number, err := strconv.Atoi(string(text))
	if err != nil {
		number = -1 // nobody said that
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.moments++
	l.handled[ev.SessionID] = append(l.handled[ev.SessionID], handled{number, l.moments, time.Now(), ev.Source})
}

// counts are how many events were said and handled so far.
type counts struct{ said, handled int }

func (c counts) since(before counts) (said, handled int) {
	return c.said - before.said, c.handled - before.handled
}

func (l *ledger) count() (c counts) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, sent := range l.sent {
		c.said += len(sent)
	}
	for _, h := range l.handled {
		c.handled += len(h)
	}
	return c
}

func (l *ledger) gap(g crisp.Gap) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.moments++
	now, length := time.Now(), g.To.Sub(g.From)
	l.gaps = append(l.gaps, told{g, l.moments, now.Add(-length), now})
	if length < 0 {
		l.noteLocked("a gap that ends %s before it begins", -length)
	}
	if !l.wall.showed(g.To, now, 10*time.Second) {
		l.noteLocked("a gap that ends at %s, told of at %s, which the clock did not show", g.To, now)
	}
}

// note records a violation that is seen as it happens.
func (l *ledger) note(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.noteLocked(format, args...)
}

func (l *ledger) noteLocked(format string, args ...any) {
	l.notes = append(l.notes, fmt.Sprintf(format, args...))
}

// filling reports whether there is a gap whose backfill is not over.
func (l *ledger) filling() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.gaps) > len(l.outcomes)
}

// mostListing is how many backfills may look for what has changed at a time.
const mostListing = 2

// asks takes down that REST is asked, until what it returns is called.
func (l *ledger) asks(path string) (answered func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked = append(l.asked, time.Now())
	if !strings.Contains(path, "/conversations/") {
		return func() {}
	}
	if l.listing++; l.listing > mostListing {
		l.noteLocked("%d backfills list conversations at a time", l.listing)
	}
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.listing--
	}
}

func (l *ledger) hooks() crisp.Hooks {
	locked := func(do func()) {
		l.mu.Lock()
		defer l.mu.Unlock()
		do()
	}
	return crisp.Hooks{
		Gap:        l.gap,
		Backfilled: func(b crisp.Backfilled) { locked(func() { l.outcomes = append(l.outcomes, b) }) },
		Dropped:    func(d crisp.Dropped) { locked(func() { l.dropped += d.Count }) },
		Skipped:    func(error) { locked(func() { l.skipped++ }) },
		Retrying:   func(r crisp.Retrying) { locked(func() { l.trouble = append(l.trouble, trouble{time.Now(), r}) }) },
	}
}

// Report sums a round up.
type Report struct {
	Sent       int
	Live       int // handled as they came
	Recovered  int // handled by a backfill
	Missing    int // never handled
	Gaps       int
	Incomplete int // backfills
	Dropped    int
	Skipped    int
	Stops      int
	Violations []string
}

// rules are what a round must keep to, as its plan has it.
type rules struct {
	backfill    bool
	concurrency int
	slack       time.Duration // the longest time from Crisp to the client
	polite      bool          // it reconnects by the library's own policy
	overlap     time.Duration // of a backfill
}

// audit looks for what does not add up.
func (l *ledger) audit(r rules) Report {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := audit{ledger: l, rules: r}
	a.Gaps, a.Dropped, a.Skipped, a.Stops = len(l.gaps), l.dropped, l.skipped, l.stops
	for _, outcome := range l.outcomes {
		if !outcome.Complete && !onlyStopped(outcome.Err) { // what that left out, the next run recovers
			a.Incomplete++
		}
	}
	if r.backfill && len(l.outcomes) != len(l.gaps) {
		a.violated("%d gaps, but the outcomes of %d backfills", len(l.gaps), len(l.outcomes))
	}
	for _, note := range l.notes {
		a.violated("%s", note)
	}
	a.requests()
	repeats := 0
	for session, sent := range l.sent {
		repeats += a.session(session, sent)
	}
	// Close interrupts handlers; what they had in hand may come again.
	if repeats > l.closes*r.concurrency {
		a.violated("%d events were handled twice, with %d handlers interrupted at most", repeats, l.closes*r.concurrency)
	}
	for session := range l.handled {
		if _, ok := l.sent[session]; !ok {
			a.violated("events of session %s, which said nothing", session)
		}
	}
	slices.Sort(a.Violations)
	return a.Report
}

type audit struct {
	*ledger
	rules
	Report
}

func (a *audit) violated(format string, args ...any) {
	const enough = 10
	if len(a.Violations) < enough {
		a.Violations = append(a.Violations, fmt.Sprintf(format, args...))
	}
}

// session checks one session, and tells how many events were handled twice.
func (a *audit) session(session string, sent []time.Time) (repeats int) {
	a.Sent += len(sent)
	first := make(map[int]handled)
	latest, inOrder := -1, true
	for _, h := range a.handled[session] {
		if _, again := first[h.number]; again {
			repeats++
			continue
		}
		first[h.number] = h
		if h.source == crisp.SourceBackfill {
			a.Recovered++
		} else {
			a.Live++
		}
		if h.number < 0 || h.number >= len(sent) {
			a.violated("%s: handled %d, which was not said", session, h.number)
		}
		inOrder = inOrder && h.number > latest
		latest = max(latest, h.number)
	}
	// What a backfill fails to fetch, that of a later gap may find, behind newer
	// events.
	if !inOrder && (!a.backfill || a.Incomplete == 0) {
		a.violated("%s: out of order: %v", session, disorder(a.handled[session], sent))
	}
	a.missing(session, sent, first)
	return repeats
}

// missing looks at what a session said and nobody handled.
func (a *audit) missing(session string, sent []time.Time, first map[int]handled) {
	for n, at := range sent {
		if _, ok := first[n]; ok {
			continue
		}
		a.Missing++
		if a.backfill && !a.leftOut(at) {
			a.violated("%s: %d, said at %s, is missing, and lies in no gap whose backfill was not complete", session, n, at.Format(timeOfDay))
		}
		lies, excused := a.inGap(at, a.before(n, len(sent), first))
		if !lies {
			a.violated("%s: %d, said at %s, is missing and lies in no gap that was told of before the next", session, n, at.Format(timeOfDay))
		} else if a.came[event{session, strconv.Itoa(n)}] && !excused {
			a.violated("%s: %d, said at %s, had come, and was not handled", session, n, at.Format(timeOfDay))
		}
	}
}

// inGap reports whether a time lies in a gap that was reported before a moment, and
// whether such a gap excuses events that had reached the client: they were dropped,
// or the client was stopped before it read them.
func (a *audit) inGap(at time.Time, before int) (lies, excused bool) {
	for _, g := range a.gaps {
		if g.moment < before && a.within(g, at) {
			lies = true
			excused = excused || g.Reason == crisp.GapRestarted || g.Reason == crisp.GapOverflow
		}
	}
	return lies, excused
}

func (a *audit) within(g told, at time.Time) bool {
	return !at.Before(g.from.Add(-a.slack)) && !at.After(g.to)
}

// leftOut reports whether a time lies in a gap whose backfill reported that it was not
// complete. One that the end of the program cut short doesn't count: the next run
// recovers the gap.
func (a *audit) leftOut(at time.Time) bool {
	for _, o := range a.outcomes {
		if o.Complete || errors.Is(o.Err, crisp.ErrClosed) {
			continue
		}
		for _, g := range a.gaps {
			if g.Gap == o.Gap && a.within(g, at) {
				return true
			}
		}
	}
	return false
}

// requests checks how often the client has connected, and asked REST.
func (a *audit) requests() {
	var connected []time.Time
	allowed := 2000 // for what was answered wrongly, or not at all
	for _, g := range a.gaps {
		if g.Reason == crisp.GapDisconnected {
			connected = append(connected, g.to)
		}
		allowed += a.due(g)
	}
	// Six at once, and then one each two minutes; a program that is started anew
	// knows nothing of those before.
	if n, most := busiestHour(connected), 6*(1+a.stops)+30; a.polite && n > most {
		a.violated("%d connections within an hour, %d at most", n, most)
	}
	if n := busiestHour(a.asked); n > allowed {
		a.violated("%d REST requests within an hour, %d at most", n, allowed)
	}
}

// due is how many requests a gap may take: for the endpoint, a list of
// conversations that may be walked four times, and for each conversation's messages
// in the gap and around it.
func (a *audit) due(g told) int {
	const conversations, messages = 20, 20 // on a page, at least
	most := 1
	if !a.backfill {
		return most
	}
	most += 4 * (1 + len(a.sent)/conversations)
	for _, sent := range a.sent {
		from, _ := slices.BinarySearchFunc(sent, g.from.Add(-2*a.overlap), time.Time.Compare)
		to, _ := slices.BinarySearchFunc(sent, g.to.Add(2*a.overlap), time.Time.Compare)
		most += 2 + (to-from)/messages
	}
	return most
}

// busiestHour is how many of the times, which are in order, lie within an hour, at
// most.
func busiestHour(times []time.Time) (most int) {
	first := 0
	for last, at := range times {
		for at.Sub(times[first]) > time.Hour {
			first++
		}
		most = max(most, last-first+1)
	}
	return most
}

// before is the moment when the next event after n was handled.
func (a *audit) before(n, count int, first map[int]handled) int {
	for n++; n < count; n++ {
		if h, ok := first[n]; ok {
			return h.moment
		}
	}
	return a.moments + 1
}

const timeOfDay = "15:04:05.000000"

// onlyStopped reports whether nothing kept a backfill from being complete but the end of
// the client.
func onlyStopped(err error) bool {
	joined, ok := err.(interface{ Unwrap() []error })
	return errors.Is(err, crisp.ErrClosed) && (!ok || len(joined.Unwrap()) == 1)
}

// disorder returns the numbers around the first that came too late.
func disorder(list []handled, sent []time.Time) []string {
	latest := -1
	for i, h := range list {
		if h.number < latest {
			var around []string
			for _, h := range list[max(0, i-10):min(i+10, len(list))] {
				around = append(around, fmt.Sprint(h.number, " ", h.source, " sent ", sent[h.number].Format(timeOfDay), " handled ", h.at.Format(timeOfDay)))
			}
			return around
		}
		latest = h.number
	}
	return nil
}

// add sums reports up.
func (r *Report) add(other Report) {
	r.Sent += other.Sent
	r.Live += other.Live
	r.Recovered += other.Recovered
	r.Missing += other.Missing
	r.Gaps += other.Gaps
	r.Incomplete += other.Incomplete
	r.Dropped += other.Dropped
	r.Skipped += other.Skipped
	r.Stops += other.Stops
}

func (r Report) String() string {
	return fmt.Sprintf("%d events sent: %d handled live, %d recovered, %d missing in %d gaps (%d backfills incomplete, %d events dropped, %d packets skipped, %d restarts)",
		r.Sent, r.Live, r.Recovered, r.Missing, r.Gaps, r.Incomplete, r.Dropped, r.Skipped, r.Stops)
}

// story describes a round's gaps, backfills, messages and retries, to find the cause
// of a violation.
func (l *ledger) story() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var b strings.Builder
	for _, g := range l.gaps {
		fmt.Fprintf(&b, "gap %s from %s to %s, by the clock from %s\n", g.Reason, g.from.Format(timeOfDay), g.to.Format(timeOfDay), g.From.Format(timeOfDay))
	}
	for _, o := range l.outcomes {
		fmt.Fprintf(&b, "backfill of the gap from %s: %d messages of %d conversations, %d requests, error %v\n", o.Gap.From.Format(timeOfDay), o.Messages, o.Conversations, o.Requests, o.Err)
	}
	for session, sent := range l.sent {
		fmt.Fprintf(&b, "%s: %d sent, %d handled, the last at %s\n", session, len(sent), len(l.handled[session]), sent[len(sent)-1].Format(timeOfDay))
	}
	for _, t := range l.trouble {
		fmt.Fprintf(&b, "%s attempt %d in %s: %v\n", t.at.Format(timeOfDay), t.Attempt, t.Delay, t.Err)
	}
	return b.String()
}
