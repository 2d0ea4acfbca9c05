package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

// round is a plan being played.
type round struct {
	plan
	ledger   *ledger
	network  *network
	server   *crisptest.Server
	box      *middlebox
	http     *http.Client
	wall     *wallClock
	visitors []*crisptest.Visitor
	router   *crisp.Router
	position *memoryPosition

	mu      sync.Mutex // guards what follows
	rtm     *crisp.RTM
	ended   chan error // what Run returned
	blocked time.Time  // until when handlers hang
}

// play plays a plan on a server.
func play(ctx context.Context, p plan, server *crisptest.Server, n *network) (Report, error) {
	box := &middlebox{next: &http.Transport{DialContext: n.DialContext}, ledger: n.ledger}
	r := &round{
		plan:     p,
		box:      box,
		wall:     n.ledger.wall,
		ledger:   n.ledger,
		network:  n,
		server:   server,
		http:     &http.Client{Transport: box},
		position: new(memoryPosition),
	}
	defer r.http.CloseIdleConnections()
	r.wall.set(p.wall)
	defer r.wall.set(0)
	server.SkewClock(p.crisp)
	r.router = r.newRouter()
	for range p.sessions {
		r.visitors = append(r.visitors, server.Visitor())
	}
	if err := r.start(); err != nil {
		return Report{}, err
	}
	if err := r.connected(ctx); err != nil {
		return Report{}, err
	}

	turbulent, cancel := context.WithTimeout(ctx, p.length)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() { r.talk(turbulent) })
	wg.Go(func() { r.disturb(turbulent) })
	wg.Wait()

	if err := r.calm(ctx); err != nil {
		return Report{}, err
	}
	return n.ledger.audit(rules{
		backfill:    p.backfill,
		concurrency: p.concurrency,
		slack:       r.latency(),
		polite:      p.polite,
		overlap:     r.overlap(),
	}), nil
}

// latency is how long an event may take to reach the client: its chunk is held up,
// and so are those before it.
func (r *round) latency() time.Duration { return 30 * r.most() }

// overlap is how far before a gap its backfill begins to search.
func (r *round) overlap() time.Duration { return 2*r.latency() + dates }

// dates is how far off Crisp's time may be as the client learns it: from HTTP dates,
// which have whole seconds.
const dates = 3 * time.Second

func (r *round) newRouter() *crisp.Router {
	router := crisp.NewRouter(crisp.WithErrorHandler(func(context.Context, error) {}))
	crisp.On(router, func(ctx context.Context, ev *crisp.MessageSend) error {
		if err := r.work(ctx); err != nil {
			return err
		}
		r.ledger.handle(ev)
		if rand.IntN(100) == 0 {
			panic("a handler fails now and then")
		}
		return nil
	})
	return router
}

// work takes a handler's time.
func (r *round) work(ctx context.Context) error {
	r.mu.Lock()
	hang := time.Until(r.blocked)
	r.mu.Unlock()
	d := max(hang, 0)
	if r.handling > 0 {
		d += rand.N(r.handling)
	}
	return sleep(ctx, d)
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// start starts a client.
func (r *round) start() error {
	options := []crisp.RTMOption{
		crisp.WithEngineIO(r.engineIO),
		crisp.WithConcurrency(r.concurrency),
		crisp.WithQueue(r.queue, r.overflow),
		crisp.WithHooks(r.ledger.hooks()),
		crisp.WithPosition(r.position),
		crisp.WithConnectTimeout(20 * r.unit),
	}
	if !r.polite {
		options = append(options, crisp.WithBackoff(crisp.ExponentialBackoff{Base: 2 * r.unit, Max: 20 * r.unit}))
	}
	if r.backfill {
		options = append(options, crisp.WithBackfill(crisp.Backfill{
			Overlap:     r.overlap(),
			MaxRequests: 1 << 20,
			Patience:    r.patience,
		}))
	}
	rtm, err := r.server.Client(crisp.WithHTTPClient(r.http)).NewRTM(r.router, options...)
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	r.mu.Lock()
	r.rtm, r.ended = rtm, ended
	r.mu.Unlock()
	go func() { ended <- rtm.Run(context.Background()) }()
	return nil
}

func (r *round) client() (*crisp.RTM, chan error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rtm, r.ended
}

// stop ends the client, with a drain or at once.
func (r *round) stop(ctx context.Context, drain bool) error {
	rtm, ended := r.client()
	r.ledger.mu.Lock()
	r.ledger.stops++
	if !drain {
		r.ledger.closes++
	}
	r.ledger.mu.Unlock()
	if !drain {
		_ = rtm.Close()
	} else if err := rtm.Shutdown(ctx); err != nil {
		return fmt.Errorf("shutdown: %w", err)
	}
	if err := <-ended; !errors.Is(err, crisp.ErrClosed) {
		return fmt.Errorf("run: %w", err)
	}
	return nil
}

// connected waits for an authenticated session.
func (r *round) connected(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, max(600*r.unit, 30*time.Second))
	defer cancel()
	return r.server.WaitAuthenticated(ctx)
}

// talk lets the visitors count.
func (r *round) talk(ctx context.Context) {
	rng := rand.New(rand.NewPCG(r.seed, 1))
	for sleep(ctx, time.Duration(rng.ExpFloat64()*float64(r.pause))) == nil {
		burst := 1
		if rng.IntN(200) == 0 {
			burst = rng.IntN(200)
		}
		for range burst {
			r.say(rng.IntN(len(r.visitors)))
		}
	}
}

func (r *round) say(visitor int) {
	v := r.visitors[visitor]
	v.Say(fmt.Sprint(r.ledger.next(v.SessionID)))
}

// calm ends all faults, and waits until what can come has come.
func (r *round) calm(ctx context.Context) error {
	r.heal()
	if err := sleep(ctx, 100*r.unit); err != nil { // for what is half open to be noticed
		return err
	}
	if err := r.connected(ctx); err != nil {
		return err
	}
	for visitor := range r.visitors {
		r.say(visitor)
		if err := sleep(ctx, r.pause); err != nil { // all at once might be too much for the queue
			return err
		}
	}
	if err := r.settled(ctx); err != nil {
		return err
	}
	return r.stop(ctx, true)
}

// settled waits until the last message of every session is handled. It gives up only
// when nothing moves any more, since much may have piled up.
func (r *round) settled(ctx context.Context) error {
	patience := max(600*r.unit, time.Minute)
	before, end := counts{}, time.Time{}
	for !r.ledger.complete() {
		if now := r.ledger.count(); now != before {
			before, end = now, time.Now().Add(patience)
		}
		if time.Now().After(end) {
			return errors.New("the last messages did not arrive: the client is stuck")
		}
		if err := sleep(ctx, r.unit); err != nil {
			return err
		}
	}
	return nil
}

func (r *round) heal() {
	r.network.heal()
	r.box.stepAside()
	// Heal would set Crisp's clock. What fails a few requests ends with those.
	r.server.BringUp()
	r.server.HangUp(0)
	r.server.SlowREST(0)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.blocked = time.Time{}
}

// complete reports whether the last message of every session is handled.
func (l *ledger) complete() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for session, sent := range l.sent {
		last := false
		for _, h := range l.handled[session] {
			last = last || h.number == len(sent)-1
		}
		if !last {
			return false
		}
	}
	return true
}

// memoryPosition keeps a position as a file would.
type memoryPosition struct {
	mu sync.Mutex // guards p
	p  crisp.Position
}

func (m *memoryPosition) Load(context.Context) (crisp.Position, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.p, nil
}

func (m *memoryPosition) Save(_ context.Context, p crisp.Position) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.p = p
	return nil
}
