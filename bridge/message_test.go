package bridge_test

import (
	"context"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/bridge"
)

const (
	website = "8c842203-7ed8-4e29-a608-7cf78a7d2fcc"
	secret  = "a secret"
)

// hook is an event that came by web hook.
func hook(t *testing.T, name, data string) crisp.Event {
	t.Helper()
	body := []byte(`{"website_id":"` + website + `","event":"` + name + `","data":` + data + `,"timestamp":1700000000123}`)
	ev, err := crisp.ParseHook(secret, crisp.Sign(secret, time.Now(), body), body)
	require.NoError(t, err)
	return ev
}

// through is the event as it comes out of a log.
func through(t *testing.T, ev crisp.Event) crisp.Event {
	t.Helper()
	m := bridge.NewMessage(ev)
	parsed, err := bridge.ParseMessage(m.Attributes(), append([]byte(nil), m.Data...))
	require.NoError(t, err)
	out, err := parsed.Event()
	require.NoError(t, err)
	return out
}

func TestAnEventIsTheSameBehindALog(t *testing.T) {
	decode := func(name, data string, source crisp.Source) crisp.Event {
		ev, err := crisp.Decode(name, []byte(data))
		require.NoError(t, err)
		ev.EventMeta().Source = source
		return ev
	}
	for name, test := range map[string]struct {
		event  crisp.Event
		stable bool
	}{
		"a message over RTM":      {decode("message:send", `{"website_id":"`+website+`","session_id":"session_1","type":"text","content":"ü \u0000","from":"user","fingerprint":17,"timestamp":1700000000001}`, crisp.SourceRTM), true},
		"a recovered message":     {decode("message:received", `{"website_id":"w","session_id":"s","fingerprint":17,"type":"note","from":"operator"}`, crisp.SourceBackfill), true},
		"a message by web hook":   {hook(t, "message:send", `{"session_id":"session_1","type":"text","content":"hi","from":"user","fingerprint":17}`), true},
		"another by web hook":     {hook(t, "session:set_state", `{"session_id":"session_1","state":"resolved"}`), true},
		"another over RTM":        {decode("session:set_state", `{"website_id":"w","session_id":"session_1","state":"resolved"}`, crisp.SourceRTM), false},
		"an alias":                {decode("session:updated", `{"website_id":"w","session_id":"session_1"}`, crisp.SourceRTM), false},
		"one that nobody knows":   {decode("some:thing", `[1, 2]`, crisp.SourceRTM), false},
		"one with drift":          {decode("message:send", `{"website_id":1,"session_id":"s","fingerprint":17}`, crisp.SourceRTM), true},
		"one that looks enclosed": {decode("some:thing", `{"website_id":"a","event":"x","data":{"website_id":"b","event":"y","data":{}},"timestamp":1}`, crisp.SourceReplay), false},
		"strange names":           {decode("some:thing \"%25\"\n", `{"website_id":"a/b %2f","session_id":"ü\n\u0000"}`, crisp.SourceRTM), false},
	} {
		t.Run(name, func(t *testing.T) {
			out := through(t, test.event)
			assert.IsType(t, test.event, out)
			assert.Equal(t, test.event.EventName(), out.EventName())
			assert.Equal(t, crisp.EventID(test.event), crisp.EventID(out))
			assert.Equal(t, test.stable, crisp.EventIDStable(test.event))
			assert.Equal(t, test.stable, crisp.EventIDStable(out))
			in, meta := test.event.EventMeta(), out.EventMeta()
			assert.Equal(t, in.Source, meta.Source)
			assert.True(t, in.Time.Equal(meta.Time), "%s is not %s", in.Time, meta.Time)
			assert.Equal(t, in.WebsiteID, meta.WebsiteID)
			assert.Equal(t, string(in.Raw), string(meta.Raw))
			assert.Equal(t, in.Problems, meta.Problems)
			if of, ok := test.event.(crisp.SessionEvent); ok {
				assert.Equal(t, of.Session(), out.(crisp.SessionEvent).Session())
			}
			assert.Equal(t, crisp.EventID(test.event), crisp.EventID(through(t, out)), "behind another log")
		})
	}
}

func TestOnceKnowsTheDeliveriesOfAHookBehindALog(t *testing.T) {
	ev := hook(t, "session:set_state", `{"session_id":"session_1","state":"resolved"}`)
	router := crisp.NewRouter()
	router.Use(crisp.Once(crisp.NewMemoryClaims(0)))
	runs := 0
	crisp.On(router, func(context.Context, *crisp.SessionSetState) error { runs++; return nil })
	require.NoError(t, router.Dispatch(t.Context(), ev))
	require.NoError(t, router.Dispatch(t.Context(), through(t, ev)))
	assert.Equal(t, 1, runs)
}

func TestAttributes(t *testing.T) {
	m := bridge.Message{
		ID: "id", Stable: true, Type: "message:send", WebsiteID: "a/b", SessionID: "ü \"%", Source: crisp.SourceWebhook,
		Time:  time.Date(2026, 1, 2, 4, 4, 5, 6000, time.FixedZone("", 3600)),
		Stub:  "too large",
		Trace: map[string]string{"traceparent": "00-1-2-01", "tracestate": "a=b", "other": "x"},
	}
	all := m.Attributes()
	assert.Equal(t, map[string]string{
		"ce-specversion": "1.0", "ce-id": "id", "ce-type": "message:send", "ce-source": "/crisp/websites/a%252Fb", "ce-subject": "%C3%BC%20%22%25",
		"ce-time": "2026-01-02T03:04:05.000006Z", "ce-crispvia": "webhook", "ce-crispstable": "true", "ce-crispstub": "too%20large",
		"content-type": "application/json", "traceparent": "00-1-2-01", "tracestate": "a=b",
	}, all)
	bare := bridge.Message{ID: "id", Type: "t", Time: time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC), Trace: map[string]string{"traceparent": "a\nb"}}.Attributes()
	assert.Equal(t, map[string]string{"ce-specversion": "1.0", "ce-id": "id", "ce-type": "t", "ce-source": "/crisp", "content-type": "application/json"}, bare)
}

func TestParseMessageRefuses(t *testing.T) {
	good := bridge.Message{ID: "id", Type: "t", WebsiteID: "w", SessionID: "s", Time: time.Unix(1, 0)}.Attributes()
	for name, value := range map[string]string{
		"ce-specversion": "0.3", "ce-id": "", "ce-type": "", "ce-source": "/elsewhere", "ce-subject": "%zz", "ce-time": "yesterday", "ce-crispvia": "%", "ce-crispstub": "%4",
	} {
		bad := maps.Clone(good)
		bad[name] = value
		_, err := bridge.ParseMessage(bad, nil)
		assert.ErrorContains(t, err, name)
	}
	_, err := bridge.ParseMessage(nil, nil)
	assert.Error(t, err)
	_, err = bridge.ParseMessage(good, nil)
	assert.NoError(t, err)
}

func TestAMessageThatIsNoJSON(t *testing.T) {
	m := bridge.Message{ID: "id", Type: "message:send", Data: []byte(`{"content":"what somebody wrote`)}
	_, err := m.Event()
	var syntax *crisp.SyntaxError
	require.ErrorAs(t, err, &syntax)
	assert.NotContains(t, err.Error(), "somebody")
	_, err = bridge.Message{ID: "id", Type: bridge.TypeGap, Data: []byte("{}")}.Event()
	assert.ErrorContains(t, err, "ParseControl")
}

func TestPartitionOf(t *testing.T) {
	for key, hash := range map[string]uint32{"": 0x811c9dc5, "a": 0xe40c292c, "foobar": 0xbf9cf968} {
		assert.Equal(t, int(hash%16), bridge.PartitionOf(key, 16))
		assert.Equal(t, int(hash%7), bridge.PartitionOf(key, 7))
		assert.Equal(t, 0, bridge.PartitionOf(key, 1))
	}
	assert.Panics(t, func() { bridge.PartitionOf("a", 0) })
}

func TestKey(t *testing.T) {
	assert.Equal(t, "s", bridge.Message{SessionID: "s", WebsiteID: "w"}.Key())
	assert.Equal(t, "w", bridge.Message{WebsiteID: "w"}.Key())
}

func FuzzParseMessage(f *testing.F) {
	f.Add("id", "message:send", "/crisp/websites/w", "s", "2026-01-02T03:04:05Z", "rtm", "true", "", "00-1", []byte(`{"a":1}`))
	f.Add("", "%", "/crisp", "%2", "x", "%C3%BC", "1", "too%20large", "\n", []byte(nil))
	f.Fuzz(func(t *testing.T, id, kind, source, subject, at, via, stable, stub, trace string, data []byte) {
		m, err := bridge.ParseMessage(map[string]string{
			"ce-specversion": "1.0", "ce-id": id, "ce-type": kind, "ce-source": source, "ce-subject": subject, "ce-time": at,
			"ce-crispvia": via, "ce-crispstable": stable, "ce-crispstub": stub, "traceparent": trace,
		}, data)
		if err != nil {
			return
		}
		all := m.Attributes()
		for name, value := range all {
			assert.False(t, strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }), "%s: %q", name, value)
		}
		again, err := bridge.ParseMessage(all, data)
		require.NoError(t, err)
		assert.Equal(t, m, again)
		if _, isControl, err := bridge.ParseControl(m); isControl || err != nil {
			return
		}
		if ev, err := m.Event(); err == nil {
			out := bridge.NewMessage(ev)
			assert.Equal(t, m.Type, out.Type)
			assert.Equal(t, m.Data, out.Data)
		}
	})
}
