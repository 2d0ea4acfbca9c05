package crispotel_test

import (
	"context"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crispotel"
	"github.com/crisp-go/crisp/crisptest"
)

func nop(context.Context, crisp.Event) error { return nil }

// value is that of the only time series of a metric.
func (r *recording) value(name string) float64 {
	r.t.Helper()
	points := r.points(name)
	require.Len(r.t, points, 1, name)
	return points[0].value
}

// TestWhatAnRTMClientIsDoing looks at the gauges while a client connects, waits for a handler, and loses its
// connection.
func TestWhatAnRTMClientIsDoing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := record(t)
		srv := crisptest.NewServer(t, crisptest.InMemory())
		goOn := make(chan struct{})
		router := crisp.NewRouter()
		crisp.On(router, func(context.Context, *crisp.MessageSend) error { <-goOn; return nil })
		rtm, err := srv.Client(crisp.WithLogger(discard)).NewRTM(router, crisp.WithHooks(crispotel.Hooks(crisp.Hooks{}, r.opts...)))
		require.NoError(t, err)
		observed, err := crispotel.Observe(rtm, r.opts...)
		require.NoError(t, err)
		time.Sleep(time.Minute)
		assert.Zero(t, r.value("crisp.rtm.connected"))
		assert.InDelta(t, 60, r.value("crisp.rtm.silence"), 0, "since it is observed")

		srv.Run(t, rtm)
		synctest.Wait()
		assert.InDelta(t, 1, r.value("crisp.rtm.connected"), 0)
		assert.Zero(t, r.value("crisp.rtm.queue.oldest"))
		srv.Visitor().Say("hello")
		synctest.Wait()
		time.Sleep(5 * time.Second)
		assert.InDelta(t, 5, r.value("crisp.rtm.queue.oldest"), 0.1)
		assert.InDelta(t, 5, r.value("crisp.rtm.silence"), 0.1)
		assert.Positive(t, r.value("crisp.rtm.queue.bytes"))
		close(goOn)
		synctest.Wait()
		assert.Zero(t, r.value("crisp.rtm.queue.oldest"))
		assert.Zero(t, r.value("crisp.rtm.queue.bytes"))

		srv.TakeDown()
		time.Sleep(time.Minute)
		assert.Zero(t, r.value("crisp.rtm.connected"))
		srv.BringUp()
		require.NoError(t, rtm.Ready(t.Context()))
		synctest.Wait()
		assert.InDelta(t, 1, r.value("crisp.rtm.connected"), 0)
		assert.InDelta(t, 1, r.value("crisp.rtm.reconnects"), 0)
		gaps := r.points("crisp.rtm.gap.duration")
		require.Len(t, gaps, 1)
		assert.Equal(t, "disconnected", gaps[0].attributes["crisp.gap.reason"])
		assert.Greater(t, gaps[0].sum, 59.0)

		require.NoError(t, observed.Unregister())
		assert.Empty(t, r.points("crisp.rtm.connected"))
	})
}

// TestGapsOfAnotherKind are those that a later version may tell of.
func TestGapsOfAnotherKind(t *testing.T) {
	r := record(t)
	hooks := crispotel.Hooks(crisp.Hooks{}, r.opts...)
	hooks.Gap(crisp.Gap{Reason: "of another kind"})
	hooks.Backfilled(crisp.Backfilled{})
	assert.Nil(t, hooks.Disconnected)
	assert.Equal(t, "_OTHER", r.points("crisp.rtm.gap.duration")[0].attributes["crisp.gap.reason"])
	assert.Equal(t, "false", r.points("crisp.backfill.gaps")[0].attributes["crisp.backfill.complete"])
}

// TestSeveralClients have time series of their own.
func TestSeveralClients(t *testing.T) {
	r := record(t)
	srv := crisptest.NewServer(t)
	for _, id := range []string{"a", "b"} {
		router := crisp.NewRouter()
		router.OnAny(nop)
		rtm, err := srv.Client().NewRTM(router)
		require.NoError(t, err)
		observed, err := crispotel.Observe(rtm, append(r.opts, crispotel.WithClientID(id))...)
		require.NoError(t, err)
		defer func() { assert.NoError(t, observed.Unregister()) }()
	}
	assert.Len(t, r.points("crisp.rtm.connected"), 2)
}

// TestHooksCallAllOthers goes through the fields, whatever there may be of them.
func TestHooksCallAllOthers(t *testing.T) {
	r := record(t)
	var next crisp.Hooks
	fields, called := reflect.ValueOf(&next).Elem(), make(map[string]int)
	var names []string
	for i := range fields.NumField() {
		field := fields.Type().Field(i)
		if !field.IsExported() {
			continue
		}
		names = append(names, field.Name)
		fields.Field(i).Set(reflect.MakeFunc(field.Type, func([]reflect.Value) []reflect.Value {
			called[field.Name]++
			return nil
		}))
	}
	observed := reflect.ValueOf(crispotel.Hooks(next, r.opts...))
	for _, name := range names {
		callback := observed.FieldByName(name)
		callback.Call([]reflect.Value{reflect.Zero(callback.Type().In(0))})
		assert.Equal(t, 1, called[name], name)
	}
	assert.Len(t, called, len(names))
	assert.GreaterOrEqual(t, len(names), 9)
}
