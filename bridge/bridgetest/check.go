package bridgetest

import (
	"context"
	"fmt"
	"reflect"
	"testing"
	"time"
)

// This package is imported by the tests of other modules, which must not get another
// module by it. So it has the few checks of its own that it needs.

// must ends the test if there is an error.
func must(t testing.TB, err error, doing ...any) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s%v", fmt.Sprintln(doing...), err)
	}
}

// check fails the test unless something holds.
func check(t testing.TB, holds bool, format string, args ...any) bool {
	t.Helper()
	if !holds {
		t.Errorf(format, args...)
	}
	return holds
}

// equal fails the test unless both are the same.
func equal[T any](t testing.TB, want, got T, what string) bool {
	t.Helper()
	return check(t, reflect.DeepEqual(want, got), "%s:\nwant %+v\ngot  %+v", what, want, got)
}

// eventually waits until something holds, and ends the test if it does not within a time.
func eventually(t testing.TB, within time.Duration, holds func() bool, what string) {
	t.Helper()
	for deadline := time.Now().Add(within); !holds(); {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", within, what)
		}
		must(t, pause(t.Context(), within/500))
	}
}

// pause waits, or returns the cause of the context's end.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return context.Cause(ctx)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
