package main

import (
	"context"
	"fmt"
	"os"
	"slices"
)

// result is what a contestant's rounds come to.
type result struct {
	contestant
	cpu    float64 // seconds per event
	spread float64 // half of the distance between the quartiles of cpu, relative to it
	ratio  float64 // of the CPU to the floor's in the same round
	rate   float64 // events per second
	speed  float64 // of the rate to the floor's in the same round
	allocs float64 // per event
	bytes  float64 // allocated per event
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

// compete returns the medians over the rounds. The first client is the floor.
func (b bench) compete(ctx context.Context, clients []contestant) ([]result, error) {
	samples, err := b.read(ctx, clients)
	if err != nil {
		return nil, err
	}
	results := make([]result, len(clients))
	for i, c := range clients {
		results[i] = summarize(c, samples[i], samples[0])
	}
	return results, nil
}

func summarize(c contestant, samples, floors []usage) result {
	events := float64(c.task.Load.Events)
	cpu := sortedBy(samples, func(u usage) float64 { return u.CPU / events })
	return result{
		contestant: c,
		cpu:        median(cpu),
		spread:     (quantile(cpu, 0.75) - quantile(cpu, 0.25)) / 2 / median(cpu),
		ratio:      median(ratios(samples, floors, func(u usage) float64 { return u.CPU })),
		rate:       median(sortedBy(samples, func(u usage) float64 { return events / u.Wall })),
		speed:      1 / median(ratios(samples, floors, func(u usage) float64 { return u.Wall })),
		allocs:     median(sortedBy(samples, func(u usage) float64 { return float64(u.Allocs) / events })),
		bytes:      median(sortedBy(samples, func(u usage) float64 { return float64(u.Bytes) / events })),
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
