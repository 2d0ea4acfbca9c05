package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime/pprof"

	"github.com/crisp-go/crisp/internal/lab/bench/reading"
)

// usage is what a client process spent on a stream.
type usage = reading.Usage

// task is what a client process is told to do.
type task struct {
	URL     string // of the server
	Stream  string // URL of the stream: the server's and the workload's path
	Reader  string // what reads the stream
	Setup   setup  // of the library, for the reader "crisp"
	Load    workload
	Profile string // file for a CPU profile; empty = none
}

// client is the child process that reads a stream and reports what that cost.
func client(encoded string) error {
	var t task
	if err := json.Unmarshal([]byte(encoded), &t); err != nil {
		return err
	}
	log := newDelayLog(t.Load)
	read, err := t.prepare(log)
	if err != nil {
		return err
	}
	stop, err := profile(t.Profile)
	if err != nil {
		return err
	}
	result, err := reading.Measure(func() error { return read(context.Background()) })
	stop()
	if err != nil {
		return err
	}
	result.Delays = log.summary()
	return reading.Report(result)
}

// prepare makes what reads the stream.
func (t task) prepare(log *delayLog) (read func(ctx context.Context) error, err error) {
	bare := func(frames frameReader, each func([]byte) error) func(context.Context) error {
		return func(ctx context.Context) error { return readStream(ctx, t.URL, t.Load, frames, each) }
	}
	switch t.Reader {
	case "read":
		return bare(readAll, ignore), nil
	case "reader":
		return bare(readReused, log.frame), nil
	case "json":
		return bare(readReused, decodeMessage), nil
	case "crisp":
		s, err := newSession(t.URL, t.Load, t.Setup, log.message)
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context) error { return s.run(ctx, t.Setup) }, nil
	}
	return nil, fmt.Errorf("no reader is called %q", t.Reader)
}

// profile writes a CPU profile to a file until it is stopped.
func profile(path string) (stop func(), err error) {
	if path == "" {
		return func() {}, nil
	}
	file, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		_ = file.Close()
	}, nil
}
