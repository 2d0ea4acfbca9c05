// Package reading is shared by the programs that are measured while they read a
// stream: the task that each is given, and the usage that it reports.
package reading

import (
	"encoding/json"
	"os"
	"runtime"
	"time"
)

// Usage is what a client process spent on a stream.
type Usage struct {
	CPU        float64 // seconds, user and system
	Wall       float64 // seconds
	Allocs     uint64  `json:",omitempty"` // 0 if not known
	Bytes      uint64  `json:",omitempty"` // allocated, in total
	Disordered int     `json:",omitempty"` // events that did not come right after the one sent before them
	Delays     Delays  `json:",omitzero"`  // of a paced stream
}

// Delays are how long after their sending events reached their handler, in
// microseconds.
type Delays struct{ P50, P99, Max float64 }

// Times returns what a stream n times as long would have cost.
func (u Usage) Times(n int) Usage {
	u.CPU *= float64(n)
	u.Wall *= float64(n)
	u.Allocs *= uint64(n)
	u.Bytes *= uint64(n)
	u.Disordered *= n
	return u
}

// Measure returns what the whole process spends while f runs.
func Measure(f func() error) (Usage, error) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	began, cpu := time.Now(), cpuTime()
	if err := f(); err != nil {
		return Usage{}, err
	}
	u := Usage{CPU: (cpuTime() - cpu).Seconds(), Wall: time.Since(began).Seconds()}
	runtime.ReadMemStats(&after)
	u.Allocs, u.Bytes = after.Mallocs-before.Mallocs, after.TotalAlloc-before.TotalAlloc
	return u, nil
}

// Report writes a result for the parent process.
func Report(result any) error { return json.NewEncoder(os.Stdout).Encode(result) }
