package bridgetest

import (
	"context"
	"errors"
	"flag"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/bridge"
)

var (
	rounds = flag.Int("bridgetest.rounds", 2, "how many rounds of chaos bridgetest.Run makes")
	seed   = flag.Uint64("bridgetest.seed", 1, "the seed of the first round of chaos; each round has the next one")
)

// chaos kills what can be killed, in an order that a seed decides, and balances the
// accounts.
func chaos(t *testing.T, s *setup, seed uint64) {
	r := &chaosRound{
		setup:   s,
		rnd:     rand.New(rand.NewPCG(seed, 0)),
		ledger:  newLedger(),
		stored:  make(map[line]bool),
		leaders: make(map[*leader]bool),
	}
	s.start(t, Config{Partitions: chaosPartitions, Patience: 5 * time.Second})
	for range 2 {
		r.addLeader(t)
	}
	for range 3 {
		r.addWorker(t)
	}
	for range 6 {
		must(t, pause(t.Context(), time.Duration(100+r.rnd.IntN(900))*time.Millisecond))
		r.disturb(t)
	}
	eventually(t, enough+r.Limits().TakeOver, func() bool { return r.progress() == chaosConversations*chaosEach }, "all is stored")
	for l := range r.leaders {
		l.stop()
	}
	r.ledger.await(t, chaosConversations*chaosEach, enough+3*r.Limits().TakeOver)
	r.ledger.balance(t, chaosConversations, chaosEach)
	for of := range r.stored {
		check(t, r.ledger.handled[of], "%v was acknowledged, and never handled", of)
	}
	equal(t, 0, len(r.DeadLetters(t, "group")), "dead letters")
	t.Logf("seed %d: %s", seed, strings.Join(r.did, ", "))
	checkRepeated(t, r.ledger, chaosConversations*chaosEach)
}

const (
	chaosPartitions    = 8
	chaosConversations = 30
	chaosEach          = 40
	chaosLease         = 2 * time.Second
)

type chaosRound struct {
	*setup
	rnd     *rand.Rand
	ledger  *ledger
	workers []*worker
	leaders map[*leader]bool
	did     []string

	mu     sync.Mutex    // guards what follows
	stored map[line]bool // what was acknowledged
	leads  *leader
}

func (r *chaosRound) progress() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.stored)
}

// disturb does one thing or another.
func (r *chaosRound) disturb(t *testing.T) {
	i := r.rnd.IntN(len(r.workers))
	switch what := r.rnd.IntN(5); what {
	case 0:
		r.did = append(r.did, "a member dies")
		r.workers[i].kill()
		r.workers = append(r.workers[:i], r.workers[i+1:]...)
		r.addWorker(t)
	case 1:
		r.did = append(r.did, "a member leaves")
		r.workers[i].stop()
		r.workers = append(r.workers[:i], r.workers[i+1:]...)
		r.addWorker(t)
	case 2:
		r.did = append(r.did, "a member joins")
		r.addWorker(t)
	case 3:
		r.did = append(r.did, "the leader dies")
		r.killLeader()
		r.addLeader(t)
	default:
		r.did = append(r.did, "the engine is disturbed")
		r.Disturb(t, r.rnd)
	}
}

func (r *chaosRound) addWorker(t *testing.T) {
	took := time.Duration(r.rnd.IntN(4)) * time.Millisecond
	r.workers = append(r.workers, work(t, r.setup, "group", noting(r.ledger, took)))
}

// leader is a process that would store what comes from Crisp, and does while it leads.
type leader struct {
	peer   Peer
	cancel context.CancelFunc
	ended  chan struct{}
	once   sync.Once
}

func (r *chaosRound) addLeader(t *testing.T) {
	l := &leader{peer: r.Connect(t), ended: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel = cancel
	r.leaders[l] = true
	go func() {
		defer close(l.ended)
		for ctx.Err() == nil {
			_ = crisp.Lead(ctx, l.peer.Lease("rtm"), chaosLease, func(ctx context.Context) error { return r.lead(ctx, l) })
			_ = pause(ctx, 50*time.Millisecond)
		}
	}()
	t.Cleanup(l.stop)
}

func (l *leader) stop() {
	l.once.Do(func() {
		l.cancel()
		<-l.ended
		l.peer.Close()
	})
}

func (r *chaosRound) killLeader() {
	r.mu.Lock()
	l := r.leads
	r.mu.Unlock()
	if l == nil {
		return
	}
	delete(r.leaders, l)
	l.once.Do(func() {
		l.peer.Kill()
		l.cancel()
		<-l.ended
	})
}

// lead stores what comes from Crisp, from the stored position on, which never passes what
// is not stored.
func (r *chaosRound) lead(ctx context.Context, l *leader) error {
	r.mu.Lock()
	r.leads = l
	r.mu.Unlock()
	position, publisher := l.peer.Position("rtm"), &doubtful{Publisher: l.peer.Publisher()}
	at, err := position.Load(ctx)
	if err != nil {
		return err
	}
	next := 0
	if !at.Time.IsZero() {
		next = int(at.Time.Unix())
	}
	for ; next < chaosConversations*chaosEach; next++ {
		of := line{conversation(next % chaosConversations), next / chaosConversations}
		if err := publish(ctx, publisher, said(of.conversation, of.n)); err != nil {
			return err
		}
		r.mu.Lock()
		r.stored[of] = true
		r.mu.Unlock()
		if next%50 == 0 {
			if err := position.Save(ctx, crisp.Position{Time: time.Unix(int64(next), 0).UTC()}); err != nil {
				continue // a later one will be saved
			}
		}
		if next%10 == 0 {
			_ = pause(ctx, 20*time.Millisecond)
		}
	}
	<-ctx.Done()
	return context.Cause(ctx)
}

// doubtful is a publisher of which every tenth answer is lost.
type doubtful struct {
	bridge.Publisher
	calls atomic.Int64
}

func (p *doubtful) Publish(ctx context.Context, m bridge.Message) error {
	err := p.Publisher.Publish(ctx, m)
	if p.calls.Add(1)%10 == 0 {
		return errors.New("the answer was lost")
	}
	return err
}
