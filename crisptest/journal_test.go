package crisptest_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"

	"github.com/crisp-go/crisp/crisptest"
)

// told describes an entry of the journal.
func told(entry crisptest.Entry) string {
	switch {
	case entry.Event != nil:
		return "event " + entry.Event.Name
	case entry.Message != nil:
		return "message " + entry.Message.Text()
	case entry.Request != nil:
		return "request " + entry.Request.String()
	case entry.Session != nil && entry.Session.Ended != "":
		return "session ended: " + entry.Session.Ended
	case entry.Session != nil:
		return fmt.Sprint("session ", entry.Session.Authenticated)
	case entry.Bind != nil:
		return "bind " + entry.Bind.Kind
	case entry.Delivery != nil:
		return fmt.Sprint("delivery ", entry.Delivery.Event, " ", entry.Delivery.Status)
	default:
		return "nothing"
	}
}

func TestJournal(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		var list []string
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			number := 0
			for entry := range srv.Follow(ctx, 0) {
				number++
				assert.Equal(t, number, entry.Number)
				assert.False(t, entry.Time.IsZero())
				list = append(list, told(entry))
			}
		}()
		srv.AddPluginHook(srv.Serve(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) })))
		c := authenticate(t, srv, srv.Token(), "")
		c.write(`42["socket:bind",{}]`)
		synctest.Wait()
		call(t, srv, srv.Token(), http.MethodPost, "website/w/conversation/s/message", message(t, `"content":"Hello!"`))
		synctest.Wait()
		srv.DropConnections()
		synctest.Wait()
		want := []string{
			"request GET plugin/connect/endpoints: 200",
			"session false",
			"session true",
			"bind socket:bind",
			"event message:received",
			"event session:set_state",
			"message Hello!",
			"request POST website/w/conversation/s/message: 202",
			"delivery message:received 202",
			"delivery session:set_state 202",
			"session ended: dropped by the test",
		}
		assert.ElementsMatch(t, want, list)
		assert.Equal(t, want[:7], list[:7], "the deliveries are beside the rest")
		assert.Len(t, srv.Journal(7), 4)
		assert.Empty(t, srv.Journal(11))
		cancel()
		<-ended
		assert.NoError(t, c.ws.CloseNow())
	}, crisptest.WithJournal(100))
}

func TestJournalForgets(t *testing.T) {
	srv := crisptest.NewServer(t, crisptest.WithJournal(3))
	for range 10 {
		srv.EmitRaw("an:event", []byte("{}"))
	}
	var numbers []int
	for entry := range srv.Follow(t.Context(), 5) {
		numbers = append(numbers, entry.Number)
		if entry.Number == 10 {
			break
		}
	}
	assert.Equal(t, []int{8, 9, 10}, numbers)
	srv.Reset()
	assert.Empty(t, srv.Journal(0))
	srv.EmitRaw("an:event", []byte("{}"))
	assert.Equal(t, 11, srv.Journal(0)[0].Number)

	without := crisptest.NewServer(t)
	without.EmitRaw("an:event", []byte("{}"))
	assert.Empty(t, without.Journal(0))
}

func TestFollowEndsWithTheServer(t *testing.T) {
	srv := crisptest.NewServer(t, crisptest.WithJournal(3))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for range srv.Follow(context.Background(), 0) {
			assert.Fail(t, "there is nothing")
		}
	}()
	srv.Close()
	<-ended
}
