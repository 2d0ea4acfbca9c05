package crisptest_test

import (
	"io"
	"net/http"
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

func TestSamplesHaveEveryField(t *testing.T) {
	require.Len(t, crisp.Events(), 82)
	for _, info := range crisp.Events() {
		ev := crisptest.Sample(info.Name)
		assert.Equal(t, info.Name, ev.EventName())
		assert.Empty(t, ev.EventMeta().Problems, info.Name)
		for _, path := range zeroFields(reflect.ValueOf(ev).Elem()) {
			t.Errorf("%s: %s is zero", info.Name, path)
		}
	}
}

// zeroFields returns the exported fields that are zero, in a struct and in those
// it refers to. It leaves out Meta, which is not part of a sample.
func zeroFields(v reflect.Value) (zero []string) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if !field.IsExported() || field.Type == reflect.TypeFor[crisp.Meta]() {
			continue
		}
		value := v.Field(i)
		if value.IsZero() {
			zero = append(zero, field.Name)
			continue
		}
		if value = inner(value); value.Kind() == reflect.Struct && field.Type != reflect.TypeFor[crisp.Receipt]() { // which has two forms
			for _, path := range zeroFields(value) {
				zero = append(zero, field.Name+"."+path)
			}
		}
	}
	return zero
}

// inner returns the first element of a slice, or what a pointer points to.
func inner(v reflect.Value) reflect.Value {
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		return inner(v.Elem())
	case reflect.Slice:
		return inner(v.Index(0))
	default:
		return v
	}
}

func TestSampleOfNothing(t *testing.T) {
	assert.PanicsWithValue(t, `crisptest: there is no event "message:sent" to take a sample of`, func() { crisptest.Sample("message:sent") })
}

func TestSamplesAreIndependent(t *testing.T) {
	one := sampleMessage()
	one.Mentions[0] = "changed"
	assert.NotEqual(t, one.Mentions, sampleMessage().Mentions)
}

func TestEmitSendsTheFieldsAsTheyStand(t *testing.T) {
	srv := crisptest.NewServer(t)
	c := authenticate(t, srv, srv.Token(), "")
	ev := &crisp.SessionSetState{WebsiteID: "w", SessionID: "s", State: crisp.SessionStateResolved}
	srv.Emit(ev)
	assert.Equal(t, `42["session:set_state",{"website_id":"w","session_id":"s","state":"resolved"}]`, c.read())
	ev.State = crisp.SessionStatePending
	srv.Emit(ev)
	assert.Contains(t, c.read(), "pending")

	unknown, err := crisp.Decode("new:event", []byte(`{"a":"<b>"}`))
	require.NoError(t, err)
	srv.Emit(unknown)
	assert.Equal(t, `42["new:event",{"a":"<b>"}]`, c.read())
}

func TestEmitRawCopiesThePayload(t *testing.T) {
	srv := crisptest.NewServer(t)
	got := make(chan string, 1)
	url := srv.Serve(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- string(body)
	}))
	srv.AddPluginHook(url)
	payload := []byte(`{"website_id":"w","a":1}`)
	srv.EmitRaw("new:event", payload)
	payload[len(payload)-2] = '2'
	assert.Contains(t, <-got, `"a":1`)
}

func TestEmitOfWhatIsNoJSON(t *testing.T) {
	srv := crisptest.NewServer(t)
	assert.Panics(t, func() {
		srv.Emit(&crisp.UnknownEvent{Name: "new:event", Meta: crisp.Meta{Raw: []byte("{")}})
	})
}

func TestTiersOfEvents(t *testing.T) {
	srv := crisptest.NewServer(t)
	tests := []struct {
		tier crisp.Tier
		gets []string
	}{
		{crisp.TierPlugin, []string{"message:send", "identity:verify:request", "new:event"}},
		{crisp.TierUser, []string{"message:send", "spam:message", "new:event"}},
		{crisp.TierWebsite, []string{"message:send", "new:event"}},
	}
	for _, test := range tests {
		c := authenticate(t, srv, srv.TokenFor(test.tier), "")
		for _, name := range []string{"message:send", "spam:message", "identity:verify:request", "new:event"} {
			srv.EmitRaw(name, []byte(`{}`))
		}
		for _, name := range test.gets {
			assert.Equal(t, `42["`+name+`",{}]`, c.read(), test.tier)
		}
		srv.DropConnections()
		frames, err := c.readEnd()
		require.Error(t, err)
		assert.Empty(t, frames, test.tier)
	}
}
