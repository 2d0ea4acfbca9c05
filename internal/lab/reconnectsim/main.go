// Reconnectsim compares reconnection policies by simulation, in virtual time:
// many clients lose their server at once, it stays away for a while, and comes
// back able to accept a limited number of connections a second. It prints a Markdown table.
//
//	go run ./internal/lab/reconnectsim
package main

import (
	"container/heap"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"time"

	"github.com/crisp-go/crisp"
)

// randSource is where the random numbers of a simulation come from.
type randSource = *rand.Rand

// policy returns the wait before an attempt, counted from 1 since the loss.
type policy struct {
	name  string
	delay func(rng randSource, attempt int) time.Duration
}

// policies are this library's default and those of the official SDKs.
func policies() []policy {
	return []policy{
		{"this library", func(rng randSource, attempt int) time.Duration {
			window := crisp.ExponentialBackoff{}.Window(attempt)
			return time.Duration(rng.Float64() * float64(window))
		}},
		{"Node SDK", nodeDelay},
		{"Go SDK", func(rng randSource, _ int) time.Duration {
			return 4*time.Second + time.Duration(rng.Float64()*float64(7*time.Second))
		}},
	}
}

// nodeDelay is what socket.io-client does with the Node SDK's settings: 5 s
// doubled per attempt, 75 % off either way, at most 10 s.
func nodeDelay(rng randSource, attempt int) time.Duration {
	const base, limit, spread = 5.0, 10.0, 0.75
	seconds := base * math.Pow(2, float64(attempt-1))
	seconds *= 1 + spread*(2*rng.Float64()-1)
	return time.Duration(min(seconds, limit) * float64(time.Second))
}

// scenario is an outage.
type scenario struct {
	clients  int
	outage   time.Duration
	capacity int // connections accepted per second once the server is back; 0 = any number
}

// result is what an outage looks like from the server.
type result struct {
	peak     int           // attempts in the busiest second after the recovery
	restored time.Duration // from the recovery until 99 % of the clients are back
	attempts int           // in all, failed ones included
}

// attempt is a client's next one.
type attempt struct {
	at     time.Duration
	number int
}

type schedule []attempt

func (s schedule) Len() int           { return len(s) }
func (s schedule) Less(i, j int) bool { return s[i].at < s[j].at }
func (s schedule) Swap(i, j int)      { s[i], s[j] = s[j], s[i] }
func (s *schedule) Push(x any)        { *s = append(*s, x.(attempt)) }
func (s *schedule) Pop() any {
	old := *s
	last := old[len(old)-1]
	*s = old[:len(old)-1]
	return last
}

// simulate plays an outage. Failed attempts fail at once, which is the hardest
// case for the server: nothing slows the clients down but their policy.
func simulate(p policy, sc scenario, seed uint64) result {
	rng := rand.New(rand.NewPCG(seed, 1))
	pending := make(schedule, 0, sc.clients)
	for range sc.clients {
		pending = append(pending, attempt{at: p.delay(rng, 1), number: 1})
	}
	heap.Init(&pending)

	var r result
	perSecond := make(map[int]int) // attempts, by second after the recovery
	accepted := make(map[int]int)
	back, enough := 0, int(math.Ceil(0.99*float64(sc.clients)))
	for pending.Len() > 0 {
		a := heap.Pop(&pending).(attempt)
		r.attempts++
		if a.at >= sc.outage {
			second := int((a.at - sc.outage) / time.Second)
			perSecond[second]++
			if sc.capacity == 0 || accepted[second] < sc.capacity {
				accepted[second]++
				if back++; back == enough {
					r.restored = a.at - sc.outage
				}
				continue
			}
		}
		next := a.number + 1
		heap.Push(&pending, attempt{at: a.at + p.delay(rng, next), number: next})
	}
	for _, n := range perSecond {
		r.peak = max(r.peak, n)
	}
	return r
}

func report(w io.Writer, scenarios []scenario, seed uint64) {
	fmt.Fprintln(w, "| clients | outage | server accepts | policy | peak attempts/s after the recovery | 99 % back after | attempts in all |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|")
	for _, sc := range scenarios {
		capacity := "any number"
		if sc.capacity > 0 {
			capacity = fmt.Sprintf("%d/s", sc.capacity)
		}
		for _, p := range policies() {
			r := simulate(p, sc, seed)
			fmt.Fprintf(w, "| %d | %s | %s | %s | %d | %.1f s | %d |\n",
				sc.clients, sc.outage, capacity, p.name, r.peak, r.restored.Seconds(), r.attempts)
		}
	}
}

func main() {
	clients := flag.Int("clients", 10_000, "how many clients lose the server")
	outage := flag.Duration("outage", time.Minute, "for how long")
	capacity := flag.Int("capacity", 500, "connections that a recovering server accepts per second, in the second scenario")
	seed := flag.Uint64("seed", 1, "of the random numbers")
	flag.Parse()
	report(os.Stdout, []scenario{
		{clients: *clients, outage: *outage},
		{clients: *clients, outage: *outage, capacity: *capacity},
		{clients: *clients, outage: 3 * time.Second},
	}, *seed)
}
