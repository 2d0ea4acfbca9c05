package backfill

import "sync"

// inbox collects what the sequencer has to say to the fetcher, which may be busy.
type inbox struct {
	mu     sync.Mutex // guards news
	news   news
	filled chan struct{} // capacity 1
}

// news is what has come since the inbox was drained.
type news struct {
	arrivals []arrival
	handled  int64 // cost of recovered messages that were handled
	over     bool  // no live event waits any more, or will
}

// arrival is a live event that waits.
type arrival struct {
	Conversation
	fingerprint int64 // 0 if it is no message
	gaps        int   // how many of the fill's gaps were before it
}

func newInbox() *inbox { return &inbox{filled: make(chan struct{}, 1)} }

func (b *inbox) add(a arrival) { b.tell(func(n *news) { n.arrivals = append(n.arrivals, a) }) }

func (b *inbox) addHandled(cost int64) { b.tell(func(n *news) { n.handled += cost }) }

func (b *inbox) setOver(over bool) { b.tell(func(n *news) { n.over = over }) }

func (b *inbox) tell(put func(*news)) {
	b.mu.Lock()
	put(&b.news)
	b.mu.Unlock()
	select {
	case b.filled <- struct{}{}:
	default:
	}
}

// drain empties the inbox and returns what was in it.
func (b *inbox) drain() news {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.news
	b.news = news{}
	return n
}
