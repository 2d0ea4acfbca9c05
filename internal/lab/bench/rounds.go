package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
)

// result is what a contestant's rounds come to.
type result struct {
	contestant
	trouble    string  // why it is out; empty = it isn't
	samples    []usage // a round each
	cpu        figure  // seconds per event
	ratio      figure  // of the CPU to the floor's in the same round
	rate       figure  // events per second
	speed      figure  // of the rate to the floor's in the same round
	allocs     figure  // per event
	bytes      figure  // allocated per event
	disordered figure  // share of the events that came behind another than the one sent before them
}

// figure is what all rounds say of something: the median, and the quartiles.
type figure struct{ median, low, high float64 }

func figureOf(sorted []float64) figure {
	return figure{median(sorted), quantile(sorted, 0.25), quantile(sorted, 0.75)}
}

// turns lets contestants do their work in turn, round by round, so that what
// else the machine does meets all of them. Who is first changes from round to
// round. It returns the samples of each contestant.
func (b bench) turns(contestants int, work func(i int) (usage, error)) ([][]usage, error) {
	samples := make([][]usage, contestants)
	for round := range b.rounds {
		fmt.Fprintf(os.Stderr, "round %d of %d\n", round+1, b.rounds)
		for i := range samples {
			i = (i + round) % contestants
			u, err := work(i)
			if err != nil {
				return nil, err
			}
			samples[i] = append(samples[i], u)
		}
	}
	return samples, nil
}

// read lets clients read their streams.
func (b bench) read(ctx context.Context, clients []contestant) ([][]usage, error) {
	return b.turns(len(clients), func(i int) (usage, error) { return clients[i].run(ctx, b) })
}

// compete returns the medians over the rounds. The first client is the floor. A
// client of others that fails is out from then on.
func (b bench) compete(ctx context.Context, clients []contestant) ([]result, error) {
	troubles := make([]string, len(clients))
	samples, err := b.turns(len(clients), func(i int) (usage, error) {
		c := clients[i]
		if troubles[i] != "" {
			return usage{}, nil
		}
		u, err := c.run(ctx, b)
		if err != nil && c.foreign() && ctx.Err() == nil {
			fmt.Fprintln(os.Stderr, err)
			troubles[i] = strings.TrimPrefix(err.Error(), c.name+": ")
			return usage{}, nil
		}
		return u, err
	})
	if err != nil {
		return nil, err
	}
	results := make([]result, len(clients))
	for i, c := range clients {
		if troubles[i] != "" {
			results[i] = result{contestant: c, trouble: troubles[i]}
			continue
		}
		results[i] = summarize(c, samples[i], samples[0])
	}
	return results, nil
}

func summarize(c contestant, samples, floors []usage) result {
	events := float64(c.task.Load.Events)
	of := func(figure func(usage) float64) figure { return figureOf(sortedBy(samples, figure)) }
	return result{
		contestant: c,
		samples:    samples,
		cpu:        of(func(u usage) float64 { return u.CPU / events }),
		ratio:      figureOf(ratios(samples, floors, func(u usage) float64 { return u.CPU })),
		rate:       of(func(u usage) float64 { return events / u.Wall }),
		speed:      figureOf(ratios(samples, floors, func(u usage) float64 { return 1 / u.Wall })),
		allocs:     of(func(u usage) float64 { return float64(u.Allocs) / events }),
		bytes:      of(func(u usage) float64 { return float64(u.Bytes) / events }),
		disordered: of(func(u usage) float64 { return float64(u.Disordered) / events }),
	}
}

// ratios compares a figure with the floor's in the same round, and sorts.
func ratios(samples, floors []usage, figure func(usage) float64) []float64 {
	all := make([]float64, len(samples))
	for i := range samples {
		all[i] = figure(samples[i]) / figure(floors[i])
	}
	slices.Sort(all)
	return all
}

// sortedBy returns one figure of all samples, sorted.
func sortedBy(samples []usage, figure func(usage) float64) []float64 {
	all := make([]float64, len(samples))
	for i, u := range samples {
		all[i] = figure(u)
	}
	slices.Sort(all)
	return all
}

func median(sorted []float64) float64 { return quantile(sorted, 0.5) }

// quantile interpolates between the neighbours of a place in a sorted list.
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	below := int(at)
	above := min(below+1, len(sorted)-1)
	return sorted[below] + (at-float64(below))*(sorted[above]-sorted[below])
}
