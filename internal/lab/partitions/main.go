// Partitions computes how evenly a log's partitions share what a large number of websites
// sends, and what the busiest of each has to bear. It prints a Markdown table.
//
//	go run ./internal/lab/partitions -websites 10000 -rate 100000
package main

import (
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"github.com/crisp-go/crisp/bridge"
)

// load is what is sent.
type load struct {
	websites int
	rate     float64 // events a second, of all websites together
	skew     float64 // the n-th busiest website sends 1/n^skew of what the busiest does
	each     float64 // events a second of a conversation
	apart    float64 // the share of events that belong to no conversation
}

// outcome is how it is shared.
type outcome struct {
	conversations int
	partition     float64 // the busiest partition, in times the mean
	worker        float64 // the busiest worker, in times the mean
	website       float64 // events a second of the busiest website
	key           float64 // events a second of the busiest key, which are handled one after the other
}

// share computes how partitions and workers share a load.
func share(l load, partitions, workers int, seed uint64) outcome {
	rng := rand.New(rand.NewPCG(seed, seed))
	loads := make([]float64, partitions)
	o := outcome{}
	sum := 0.0
	for n := range l.websites {
		sum += math.Pow(float64(n+1), -l.skew)
	}
	for n := range l.websites {
		rate := l.rate * math.Pow(float64(n+1), -l.skew) / sum
		o.website = max(o.website, rate)
		website := uuid(rng)
		loads[bridge.PartitionOf(website, partitions)] += rate * l.apart
		o.key = max(o.key, rate*l.apart)
		for left := rate * (1 - l.apart); left > 0; left -= l.each {
			loads[bridge.PartitionOf("session_"+uuid(rng), partitions)] += min(left, l.each)
			o.conversations++
		}
	}
	o.key = max(o.key, l.each)
	mean := l.rate / float64(partitions)
	o.partition = slices.Max(loads) / mean
	o.worker = busiest(rng, loads, workers) / (l.rate / float64(workers))
	return o
}

// busiest is the load of the busiest of workers that have as many partitions each as
// can be, whichever these are.
func busiest(rng *rand.Rand, loads []float64, workers int) float64 {
	all := make([]float64, workers)
	for i, p := range rng.Perm(len(loads)) {
		all[i%workers] += loads[p]
	}
	return slices.Max(all)
}

func uuid(rng *rand.Rand) string {
	return fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", rng.Uint32(), rng.Uint32()&0xffff, rng.Uint32()&0xffff, rng.Uint32()&0xffff, rng.Uint64()&0xffffffffffff)
}

func table(w io.Writer, l load, seed uint64) {
	fmt.Fprintln(w, "| partitions | workers | busiest partition, × mean | busiest worker, × mean |")
	fmt.Fprintln(w, "|--:|--:|--:|--:|")
	var o outcome
	for _, n := range []struct{ partitions, workers int }{{16, 4}, {16, 16}, {64, 16}, {256, 16}, {256, 64}} {
		o = share(l, n.partitions, n.workers, seed)
		fmt.Fprintf(w, "| %d | %d | %.2f | %.2f |\n", n.partitions, n.workers, o.partition, o.worker)
	}
	fmt.Fprintf(w, "\n%d conversations at a time. The busiest website sends %.0f events a second. The busiest key has %.0f, so that a handler has %s for each.\n",
		o.conversations, o.website, o.key, time.Duration(float64(time.Second)/o.key).Round(10*time.Microsecond))
}

func main() {
	l := load{}
	flag.IntVar(&l.websites, "websites", 10_000, "how many websites there are")
	flag.Float64Var(&l.rate, "rate", 100_000, "events a second, of all websites together")
	flag.Float64Var(&l.skew, "skew", 1, "the n-th busiest website sends 1/n^skew of what the busiest does")
	flag.Float64Var(&l.each, "each", 0.25, "events a second of a conversation")
	flag.Float64Var(&l.apart, "apart", 0.02, "the share of events that belong to no conversation")
	seed := flag.Uint64("seed", 1, "what makes the choices the same again")
	flag.Parse()
	table(os.Stdout, l, *seed)
}
