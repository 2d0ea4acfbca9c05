//go:build unix

package main

import (
	"runtime"
	"syscall"
	"time"
)

// usage is what a client process spent on a stream.
type usage struct {
	CPU    float64 // seconds, user and system
	Wall   float64 // seconds
	Allocs uint64  // 0 if not known
	Bytes  uint64  // allocated, in total
	Delays delays  // of a paced stream
}

// measure returns what the whole process spends while f runs.
func measure(f func() error) (usage, error) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	began, cpu := time.Now(), cpuTime()
	if err := f(); err != nil {
		return usage{}, err
	}
	u := usage{CPU: (cpuTime() - cpu).Seconds(), Wall: time.Since(began).Seconds()}
	runtime.ReadMemStats(&after)
	u.Allocs, u.Bytes = after.Mallocs-before.Mallocs, after.TotalAlloc-before.TotalAlloc
	return u, nil
}

// cpuTime is what the process has used so far, on all cores.
func cpuTime() time.Duration {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r) // fails for no process that runs
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
