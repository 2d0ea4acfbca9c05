package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"github.com/crisp-go/crisp"
)

// footprint measures what a program gets larger by: its stripped binary, and
// its memory and goroutines while a client is connected and nothing happens.
func (b bench) footprint(ctx context.Context, w io.Writer) error {
	without, err := binarySize(ctx, "./footprint/baseline")
	if err != nil {
		return err
	}
	with, err := binarySize(ctx, "./footprint/library")
	if err != nil {
		return err
	}
	rest, err := b.idle(ctx)
	if err != nil {
		return err
	}
	for name, value := range map[string]int64{"binary bytes": with - without, "heap bytes": rest.Heap, "goroutines": int64(rest.Goroutines)} {
		b.record.add("footprint", name, row{Values: map[string]figure{"value": figureOf([]float64{float64(value)})}})
	}
	const kib, mib = 1 << 10, 1 << 20
	_, err = fmt.Fprintf(w, "\n| Footprint | |\n|---|--:|\n"+
		"| stripped binary, over one with net/http and encoding/json | %.2f MiB |\n"+
		"| heap of a connected, idle client | %d KiB |\n"+
		"| goroutines of a connected, idle client | %d |\n",
		float64(with-without)/mib, rest.Heap/kib, rest.Goroutines)
	return err
}

func binarySize(ctx context.Context, program string) (int64, error) {
	folder, err := os.MkdirTemp("", "bench")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	binary := filepath.Join(folder, "program")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", binary, program) //nolint:gosec // programs of ours
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return 0, fmt.Errorf("building %s: %w", program, err)
	}
	info, err := os.Stat(binary)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// footing is what a process holds at some time.
type footing struct {
	Heap       int64 // bytes, live
	Goroutines int
}

func takeFooting() footing {
	runtime.GC()
	runtime.GC() // what pools kept is gone after the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return footing{int64(m.HeapAlloc), runtime.NumGoroutine()}
}

// idle runs a client in this process: what came before it is subtracted.
func (b bench) idle(ctx context.Context) (footing, error) {
	before := takeFooting()
	connected := make(chan struct{})
	client, err := crisp.New(crisp.UserToken("bench", "bench"),
		crisp.WithBaseURL(b.server+workload{Event: "message:send", Size: 600, Events: 1, Rate: 1}.path()+"/v1/"))
	if err != nil {
		return footing{}, err
	}
	router := crisp.NewRouter()
	router.OnAny(func(context.Context, crisp.Event) error { return nil })
	rtm, err := client.NewRTM(router, crisp.WithHooks(crisp.Hooks{Connected: func(crisp.Connected) { close(connected) }}))
	if err != nil {
		return footing{}, err
	}
	ended := make(chan error, 1)
	go func() { ended <- rtm.Run(ctx) }()
	select {
	case <-connected:
	case err := <-ended:
		return footing{}, err
	}
	const settle = 2 * time.Second // both events of the stream have come by then
	time.Sleep(settle)
	after := takeFooting()
	_ = rtm.Close()
	if err := <-ended; !errors.Is(err, crisp.ErrClosed) {
		return footing{}, err
	}
	return footing{after.Heap - before.Heap, after.Goroutines - before.Goroutines}, nil
}
