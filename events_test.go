package crisp_test

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

func decode(t *testing.T, name, payload string) crisp.Event {
	t.Helper()
	ev, err := crisp.Decode(name, []byte(payload))
	require.NoError(t, err, payload)
	return ev
}

func decodeAs[E crisp.Event](t *testing.T, name, payload string) E {
	t.Helper()
	ev, ok := decode(t, name, payload).(E)
	require.True(t, ok)
	return ev
}

func sampleOf(name string) string { return string(crisptest.Sample(name).EventMeta().Raw) }

func TestEverySample(t *testing.T) {
	require.Len(t, crisp.Events(), 82)
	for _, info := range crisp.Events() {
		t.Run(info.Name, func(t *testing.T) {
			ev := crisptest.Sample(info.Name)
			assert.Equal(t, info.Name, ev.EventName())
			assert.Equal(t, "*crisp."+info.GoType, reflect.TypeOf(ev).String())
			assert.Empty(t, ev.EventMeta().Problems)
			assertNoZeroField(t, reflect.ValueOf(ev).Elem(), info.GoType)

			payload := sampleOf(info.Name)
			marshalled, err := json.Marshal(ev)
			require.NoError(t, err)
			assert.JSONEq(t, payload, string(marshalled))
			byValue, err := json.Marshal(reflect.ValueOf(ev).Elem().Interface())
			require.NoError(t, err)
			assert.JSONEq(t, payload, string(byValue))

			again := reflect.New(reflect.TypeOf(ev).Elem()).Interface().(crisp.Event)
			require.NoError(t, json.Unmarshal([]byte(payload), again))
			again.EventMeta().Time = ev.EventMeta().Time // of events that don't tell it
			assert.Equal(t, ev, again)
		})
	}
}

var metaType = reflect.TypeFor[crisp.Meta]()

// assertNoZeroField finds fields, also of nested structs, that are zero.
func assertNoZeroField(t *testing.T, v reflect.Value, path string) {
	t.Helper()
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if field.Type == metaType || !field.IsExported() {
			continue
		}
		value, name := v.Field(i), path+"."+field.Name
		if value.Kind() == reflect.Slice && value.Len() > 0 {
			value, name = value.Index(0), name+"[0]"
		}
		assert.False(t, value.IsZero(), "%s is zero", name)
		if value.Kind() == reflect.Struct && value.Type() != reflect.TypeFor[time.Time]() {
			if value.Type() != reflect.TypeFor[crisp.Receipt]() { // a bare true has no origin
				assertNoZeroField(t, value, name)
			}
		}
	}
}

func TestEventsGivesACopy(t *testing.T) {
	first := crisp.Events()
	first[0].Name = "changed"
	first[0].Tiers[0] = "changed"
	assert.NotEqual(t, first[0], crisp.Events()[0])
	assert.NotContains(t, crisp.Events()[0].Tiers, crisp.Tier("changed"))
}

func TestDecodeCopiesThePayload(t *testing.T) {
	payload := []byte(`{"website_id":"w1","session_id":"s1","state":"resolved"}`)
	ev, err := crisp.Decode("session:set_state", payload)
	require.NoError(t, err)
	clear(payload)
	assert.Equal(t, "s1", ev.(*crisp.SessionSetState).SessionID)
	assert.JSONEq(t, `{"website_id":"w1","session_id":"s1","state":"resolved"}`, string(ev.EventMeta().Raw))

	data := []byte(`{"website_id":"w1","session_id":"s2"}`)
	var removed crisp.SessionRemoved
	require.NoError(t, removed.UnmarshalJSON(data))
	clear(data)
	assert.Equal(t, "s2", removed.SessionID)
}

func TestDecodeInParallel(t *testing.T) {
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 200 {
				id := fmt.Sprintf("session_%d_%d", i, n)
				ev, err := crisp.Decode("session:set_state", []byte(`{"session_id":"`+id+`","state":5}`))
				if assert.NoError(t, err) {
					assert.Equal(t, id, ev.(*crisp.SessionSetState).SessionID)
					assert.Len(t, ev.EventMeta().Problems, 1)
				}
			}
		})
	}
	wg.Wait()
}

func TestOnlyInvalidJSONIsAnError(t *testing.T) {
	for _, payload := range []string{``, `{`, `{"session_id":secret}`, `{} {}`, `{"a":1,}`, `nil`} {
		for _, name := range []string{"session:set_state", "session:unheard_of"} {
			ev, err := crisp.Decode(name, []byte(payload))
			assert.Nil(t, ev)
			var syntax *crisp.SyntaxError
			require.ErrorAs(t, err, &syntax, payload)
			assert.Equal(t, name, syntax.Event)
			assert.NotContains(t, err.Error(), "secret")
		}
	}
	_, err := crisp.Decode("session:set_state", []byte(`{"session_id" "x"}`))
	assert.EqualError(t, err, "crisp: session:set_state: invalid JSON at byte 14: expected a colon")
}

func TestPayloadsThatAreNoObjects(t *testing.T) {
	for payload, got := range map[string]string{`null`: "null", `5`: "number", `[{}]`: "array", `"x"`: "string", `true`: "boolean"} {
		ev := decodeAs[*crisp.MessageSend](t, "message:send", payload)
		assert.Equal(t, []crisp.FieldProblem{{Wanted: "object", Got: got}}, ev.Problems)
		assert.Equal(t, payload, string(ev.Raw))
		assert.Equal(t, "payload: wanted object, got "+got, ev.Problems[0].String())
	}
}

func TestMetaOfAPayload(t *testing.T) {
	before := time.Now()
	ev := decodeAs[*crisp.MessageSend](t, "message:send", `{"website_id":"w1","session_id":"s1","timestamp":1773569824159}`)
	assert.Equal(t, crisp.Meta{
		WebsiteID: "w1",
		Time:      time.UnixMilli(1773569824159).UTC(),
		Raw:       json.RawMessage(`{"website_id":"w1","session_id":"s1","timestamp":1773569824159}`),
	}, ev.Meta)

	untimed := decodeAs[*crisp.SessionRemoved](t, "session:removed", `{"website_id":"w1"}`)
	assert.False(t, untimed.Time.Before(before), "without a timestamp it is the time of receipt")
	assert.False(t, untimed.Time.After(time.Now()))

	upload := `{"resource":{"type":"%s","id":"r1"}}`
	assert.Equal(t, "r1", decode(t, "bucket:url:upload:generated", fmt.Sprintf(upload, "website")).EventMeta().WebsiteID)
	assert.Empty(t, decode(t, "bucket:url:upload:generated", fmt.Sprintf(upload, "session")).EventMeta().WebsiteID)
}

func TestEnvelopes(t *testing.T) {
	const data = `{"website_id":"w1","session_id":"s1","timestamp":1773569824000}`
	ev := decodeAs[*crisp.MessageComposeSend](t, "message:compose:send",
		`{"website_id":"w2","event":"message:compose:send","data":`+data+`,"timestamp":1773569824159}`)
	assert.Equal(t, "w2", ev.Meta.WebsiteID)
	assert.Equal(t, "w1", ev.WebsiteID)
	assert.Equal(t, int64(1773569824159), ev.Time.UnixMilli())
	assert.Equal(t, int64(1773569824000), ev.Timestamp.UnixMilli())
	assert.JSONEq(t, data, string(ev.Raw))

	ev = decodeAs[*crisp.MessageComposeSend](t, "message:compose:send", `{"website_id":null,"data":`+data+`}`)
	assert.Equal(t, "w1", ev.Meta.WebsiteID)
	assert.Equal(t, int64(1773569824000), ev.Time.UnixMilli())

	removed := decodeAs[*crisp.SessionRemoved](t, "session:removed", `{"website_id":"w2","data":{"session_id":5},"timestamp":"now"}`)
	assert.Equal(t, []crisp.FieldProblem{{"timestamp", "number", "string"}, {"session_id", "string", "number"}}, removed.Problems)
	assert.Equal(t, crisp.SessionRef{WebsiteID: "w2"}, removed.Session())

	unknown := decodeAs[*crisp.UnknownEvent](t, "session:unheard_of", `{"website_id":"w2","data":`+data+`}`)
	assert.JSONEq(t, data, string(unknown.Raw))
	assert.Equal(t, crisp.SessionRef{WebsiteID: "w2", SessionID: "s1"}, unknown.Session())
}

// Two events have a payload field that is called like an envelope's.
func TestPayloadsThatHaveData(t *testing.T) {
	set := decodeAs[*crisp.SessionSetData](t, "session:set_data", `{"website_id":"w1","session_id":"s1","data":{"plan":"pro","seats":3,"vip":true}}`)
	assert.Equal(t, map[string]any{"plan": "pro", "seats": 3.0, "vip": true}, set.Data)
	plugin := decodeAs[*crisp.PluginEvent](t, "plugin:event", `{"website_id":"w1","plugin_id":"p1","data":{"website_id":"x"}}`)
	assert.Equal(t, "p1", plugin.PluginID)
	assert.JSONEq(t, `{"website_id":"x"}`, string(plugin.Data))
}

func TestUnknownEvents(t *testing.T) {
	const payload = `{"website_id":"w1","session_id":"s1","timestamp":1773569824159,"more":[1]}`
	ev := decodeAs[*crisp.UnknownEvent](t, "session:unheard_of", payload)
	assert.Equal(t, "session:unheard_of", ev.EventName())
	assert.Equal(t, "w1", ev.WebsiteID)
	assert.Equal(t, int64(1773569824159), ev.Time.UnixMilli())
	assert.Equal(t, crisp.SessionRef{WebsiteID: "w1", SessionID: "s1"}, ev.Session())
	text, err := json.Marshal(ev)
	require.NoError(t, err)
	assert.JSONEq(t, payload, string(text))

	again := crisp.UnknownEvent{Name: "session:unheard_of"}
	require.NoError(t, json.Unmarshal(text, &again))
	assert.Equal(t, ev, &again)

	// Nothing is expected of them, so that nothing is a problem.
	for _, payload := range []string{`null`, `5`, `[1]`, `{"website_id":5,"session_id":null,"timestamp":"x"}`, `{"timestamp":1e300}`} {
		ev := decodeAs[*crisp.UnknownEvent](t, "session:unheard_of", payload)
		assert.Empty(t, ev.Problems)
		assert.Equal(t, crisp.SessionRef{}, ev.Session())
		text, err := json.Marshal(ev)
		require.NoError(t, err)
		assert.JSONEq(t, payload, string(text))
	}
}

func TestAliasesKeepTheirName(t *testing.T) {
	const payload = `{"session_id":"s1","is_verified":true}`
	ev := decodeAs[*crisp.SessionUpdateVerify](t, "session:updated", payload)
	assert.True(t, ev.IsVerified)
	assert.Equal(t, "session:updated", ev.EventName())
	assert.Equal(t, "session:update_verify", decode(t, "session:update_verify", payload).EventName())
}

func TestSessionEvents(t *testing.T) {
	for _, info := range crisp.Events() {
		ev := crisptest.Sample(info.Name)
		var members map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(ev.EventMeta().Raw, &members))
		session, named := members["session_id"]
		sessionEvent, ok := ev.(crisp.SessionEvent)
		require.Equal(t, named, ok, info.Name)
		if named {
			ref := sessionEvent.Session()
			assert.Equal(t, string(session), `"`+ref.SessionID+`"`, info.Name)
			assert.Equal(t, ev.EventMeta().WebsiteID, ref.WebsiteID, info.Name)
		}
	}
}

func TestUnmarshalReplacesWhatWasThere(t *testing.T) {
	ev := crisptest.Sample("message:send").(*crisp.MessageSend)
	require.NoError(t, json.Unmarshal([]byte(`{"website_id":"w1"}`), ev))
	assert.Equal(t, "w1", ev.WebsiteID)
	assert.Empty(t, ev.SessionID)
	assert.Nil(t, ev.Content)
	assert.Empty(t, ev.User)

	profile := crisp.Profile{Notepad: "VIP"}
	require.NoError(t, json.Unmarshal([]byte(`{"email":"a@example.com","segments":null}`), &profile))
	assert.Equal(t, crisp.Profile{Email: "a@example.com"}, profile)
	assert.EqualError(t, json.Unmarshal([]byte(`{"email":5,"notepad":"VIP"}`), &profile), "crisp: email: wanted string, got number")
	assert.Equal(t, "VIP", profile.Notepad, "what else there is was read")
	var syntax *crisp.SyntaxError
	require.ErrorAs(t, profile.UnmarshalJSON([]byte(`{`)), &syntax)
	assert.EqualError(t, syntax, "crisp: invalid JSON at byte 1: expected more of the object")
}

// The zero value of a field is left out if the field is optional, and null if
// it may be null.
func TestMarshalZeroFields(t *testing.T) {
	for want, ev := range map[string]crisp.Event{
		`{"website_id":"","session_id":"","email":null}`:                   &crisp.SessionSetEmail{},
		`{"website_id":"","session_id":"","segments":[]}`:                  &crisp.SessionSetSegments{},
		`{"website_id":"","session_id":"","data":{}}`:                      &crisp.SessionSetData{},
		`{"website_id":"","session_id":"","geolocation":{}}`:               &crisp.SessionSyncGeolocation{},
		`{"website_id":"","session_id":"","timezone":{"offset":0}}`:        &crisp.SessionSyncTimezone{},
		`{"website_id":"","plan":null}`:                                    &crisp.PlanSubscriptionUpdated{},
		`{"website_id":"","plugin_id":"","settings":{}}`:                   &crisp.PluginSettingsSaved{},
		`{"website_id":"","plugin_id":"","urn":"","name":"","data":null}`:  &crisp.PluginEvent{},
		`{"website_id":"","session_id":"","type":"","timestamp":0}`:        &crisp.MessageComposeSend{},
		`{"website_id":"","session_id":"","fingerprint":0,"content":null}`: &crisp.MessageUpdated{},
	} {
		text, err := json.Marshal(ev)
		require.NoError(t, err)
		assert.JSONEq(t, want, string(text))
	}
	_, err := json.Marshal(&crisp.MessageSend{Properties: map[string]any{"c": make(chan int)}})
	assert.Error(t, err)
}

func TestReceipts(t *testing.T) {
	for wire, want := range map[string]crisp.Receipt{
		`"chat"`: {Done: true, Origin: "chat"}, `true`: {Done: true}, `false`: {}, `""`: {}, `null`: {},
	} {
		ev := decodeAs[*crisp.MessageSend](t, "message:send", `{"read":`+wire+`}`)
		assert.Equal(t, want, ev.Read, wire)
		assert.Empty(t, ev.Problems)
	}
	assert.Equal(t, []crisp.FieldProblem{{"read", "string", "number"}},
		decode(t, "message:send", `{"read":1}`).EventMeta().Problems)

	for want, receipt := range map[string]crisp.Receipt{
		`"email"`: {Done: true, Origin: "email"}, `true`: {Done: true}, `false`: {},
	} {
		text, err := json.Marshal(receipt)
		require.NoError(t, err)
		assert.Equal(t, want, string(text))
		var again crisp.Receipt
		require.NoError(t, json.Unmarshal(text, &again))
		assert.Equal(t, receipt, again)
	}
}

// Whatever way to escape or to lay out JSON a payload uses, it says the same.
func TestOtherSpellingsOfTheSameJSON(t *testing.T) {
	want := decodeAs[*crisp.MessageSend](t, "message:send", `{"website_id":"w1","content":"café ☕","type":"text","fingerprint":1000}`)
	got := decodeAs[*crisp.MessageSend](t, "message:send", strings.Join([]string{
		"{", `"w\u0065bsite_id"`, ":", `"\u00771"`, ",", `"content"`, ":", `"caf\u00e9 \u2615"`, ",",
		`"type"`, ":", `"te\u0078t"`, ",", `"fingerprint"`, ":", `1e3`, "}",
	}, " \n\t\r"))
	want.Meta, got.Meta = crisp.Meta{}, crisp.Meta{}
	assert.Equal(t, want, got)
}

// testdata/payloads.json holds payloads that were written from what is known of
// the wire, not from the spec that the types are generated from: what the spec
// got wrong shows here.
func TestPayloadsWrittenIndependentlyOfTheSpec(t *testing.T) {
	data, err := os.ReadFile("testdata/payloads.json")
	require.NoError(t, err)
	var cases []struct {
		Event      string
		Payload    json.RawMessage
		Marshalled json.RawMessage // if it is not the payload
	}
	require.NoError(t, json.Unmarshal(data, &cases))
	seen := make(map[string]bool)
	for i, c := range cases {
		seen[c.Event] = true
		t.Run(fmt.Sprintf("%d %s", i, c.Event), func(t *testing.T) {
			ev, err := crisp.Decode(c.Event, c.Payload)
			require.NoError(t, err)
			_, unknown := ev.(*crisp.UnknownEvent)
			assert.False(t, unknown)
			assert.Equal(t, c.Event, ev.EventName())
			assert.Empty(t, ev.EventMeta().Problems)
			assert.Equal(t, string(c.Payload), string(ev.EventMeta().Raw))
			assert.Equal(t, c.Event == "media:animation:listed", ev.EventMeta().WebsiteID == "", "all but one tell their website")

			// Every field has its typed place: nothing is lost on the way back.
			back, err := json.Marshal(ev)
			require.NoError(t, err)
			want := c.Marshalled
			if want == nil {
				want = c.Payload
			}
			assert.JSONEq(t, string(want), string(back))

			// The envelope form decodes to the same.
			enveloped, err := json.Marshal(map[string]any{"website_id": "42286ab3-b29a-4fde-8538-da0ae501d825", "data": c.Payload, "timestamp": 1700000000000})
			require.NoError(t, err)
			ev, err = crisp.Decode(c.Event, enveloped)
			require.NoError(t, err)
			assert.Empty(t, ev.EventMeta().Problems)
			back, err = json.Marshal(ev)
			require.NoError(t, err)
			assert.JSONEq(t, string(want), string(back))
		})
	}
	for _, info := range crisp.Events() {
		assert.True(t, seen[info.Name], "no payload of %s", info.Name)
	}
}
