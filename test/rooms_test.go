package test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/internal/testkit"
)

const (
	website1 = "0a6a5f0e-11a5-4b7f-8c33-5b3f3a2e0001"
	website2 = "0a6a5f0e-11a5-4b7f-8c33-5b3f3a2e0002"
	website3 = "0a6a5f0e-11a5-4b7f-8c33-5b3f3a2e0003"
)

// sites makes a router that collects the websites of the visitors' messages.
func sites() (*crisp.Router, *testkit.Log[string]) {
	router, got := crisp.NewRouter(), new(testkit.Log[string])
	crisp.On(router, func(_ context.Context, ev *crisp.MessageSend) error {
		got.Add(ev.WebsiteID)
		return nil
	})
	return router, got
}

// sayOn has visitors of websites write.
func sayOn(srv *crisptest.Server, websites ...string) {
	for _, website := range websites {
		srv.Emit(&crisp.MessageSend{WebsiteID: website, SessionID: "session_" + website, Type: crisp.MessageTypeText,
			From: crisp.FromUser, Content: crisp.TextContent("Hello"), Timestamp: time.Now()})
	}
	synctest.Wait()
}

func rooms(websites ...string) crisp.RTMOption {
	return crisp.WithFilter(crisp.Filter{Rooms: websites})
}

func TestARoomThatIsRefusedIsLeftOut(t *testing.T) {
	for name, test := range map[string]struct {
		refuse func(*crisptest.Server)
		lost   []string
		left   []string // nil: Run ends
	}{
		"the refusal names it": {
			refuse: func(srv *crisptest.Server) { srv.Uninstall(website2) },
			lost:   []string{website2}, left: []string{website1, website3},
		},
		"two of three": {
			refuse: func(srv *crisptest.Server) { srv.Uninstall(website1); srv.Uninstall(website3) },
			lost:   []string{website1, website3}, left: []string{website2},
		},
		"REST's list names it": {
			refuse: func(srv *crisptest.Server) {
				srv.Uninstall(website2)
				refuseOnce(srv)
			},
			lost: []string{website2}, left: []string{website1, website3},
		},
		"REST is away for a while": {
			refuse: func(srv *crisptest.Server) {
				srv.Uninstall(website2)
				refuseOnce(srv)
				srv.FailREST(503, 20)
			},
			lost: []string{website2}, left: []string{website1, website3},
		},
		"the last": {
			refuse: func(srv *crisptest.Server) { srv.SetWebsites("0a6a5f0e-11a5-4b7f-8c33-5b3f3a2e0004") },
			lost:   []string{website1, website2, website3},
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				router, got := sites()
				var told testkit.Log[crisp.RoomsRefused]
				rtm := run(t, srv, router, rooms(website1, website2, website3), crisp.WithHooks(crisp.Hooks{RoomsRefused: told.Add}))
				authenticated(t, srv)
				test.refuse(srv)
				srv.DropConnections()
				if test.left == nil {
					err := rtm.ending(t)
					require.ErrorIs(t, err, crisp.ErrRoom)
					assert.NotErrorIs(t, err, crisp.ErrUnauthorized)
					assert.ErrorContains(t, err, "Filter.Rooms has no other")
				} else {
					pass(3 * time.Minute)
					srv.Heal()
					authenticated(t, srv)
					assert.Equal(t, test.left, srv.Sessions()[0].Rooms)
					sayOn(srv, website1, website2, website3)
					assert.Equal(t, test.left, got.List())
				}
				var lost []string
				for _, refused := range told.List() {
					lost = append(lost, refused.Rooms...)
					assert.ErrorIs(t, refused.Err, crisp.ErrRoom)
					assert.ErrorContains(t, refused.Err, refused.Rooms[0])
				}
				assert.Equal(t, test.lost, slices.Sorted(slices.Values(lost)))
			}, crisptest.WithWebsites(website1, website2, website3))
		})
	}
}

// TestManyRefusedRooms takes three connections, not one for each of them.
func TestManyRefusedRooms(t *testing.T) {
	all := []string{"w-0"}
	for n := range 40 {
		all = append(all, fmt.Sprint("w-", n+1))
	}
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		var told testkit.Log[crisp.RoomsRefused]
		router, got := sites()
		run(t, srv, router, rooms(all...), crisp.WithHooks(crisp.Hooks{RoomsRefused: told.Add}))
		authenticated(t, srv)
		for _, website := range all[1:] {
			srv.Uninstall(website)
		}
		before := len(srv.PastSessions())
		srv.DropConnections()
		authenticated(t, srv)
		assert.Len(t, srv.PastSessions(), before+3, "the one that was lost, and two that were refused")
		sayOn(srv, "w-0", "w-1")
		assert.Equal(t, []string{"w-0"}, got.List())
		require.Len(t, told.List(), 2)
		assert.Equal(t, all[2:], told.List()[1].Rooms)
		assert.Equal(t, 1, told.List()[1].Left)
		assert.ErrorContains(t, told.List()[1].Err, "w-2, w-3, w-4, w-5, w-6 and 34 more")
	}, crisptest.WithWebsites(all...))
}

// TestARefusalOfALiveConnectionWithRooms may be because of one of them: the next
// authentication tells.
func TestARefusalOfALiveConnectionWithRooms(t *testing.T) {
	for name, refused := range map[string]bool{"a passing one": false, "of the credentials": true} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				router, _ := sites()
				rtm := run(t, srv, router, rooms(website1))
				authenticated(t, srv)
				if refused {
					srv.RejectAuth()
				}
				srv.SendFrame(`42["unauthorized",{"message":"no"}]`)
				if refused {
					assert.ErrorIs(t, rtm.ending(t), crisp.ErrUnauthorized)
					return
				}
				pass(time.Minute)
				assert.Equal(t, crisp.StateConnected, rtm.State())
			}, crisptest.WithWebsites(website1))
		})
	}
}

// refuseOnce refuses credentials without a word of websites, until the plugin's are
// asked for.
func refuseOnce(srv *crisptest.Server) {
	srv.RejectAuth("no")
	srv.HandleREST("GET plugin/connect/websites/all/{page}", func(r *http.Request) (int, any) {
		if r.PathValue("page") != "1" {
			return http.StatusOK, []any{}
		}
		srv.Heal()
		return http.StatusOK, []map[string]any{{"website_id": website3}, {"website_id": website1}}
	})
}

// TestRefusedCredentialsAreNoRefusedRoom: they end Run, whatever the filter is.
func TestRefusedCredentialsAreNoRefusedRoom(t *testing.T) {
	for name, refuse := range map[string]func(*crisptest.Server){
		"by RTM":  func(srv *crisptest.Server) { srv.RejectAuth() },
		"by REST": func(srv *crisptest.Server) { srv.FailREST(401, -1) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				refuse(srv)
				router, _ := sites()
				var told testkit.Log[crisp.RoomsRefused]
				rtm := run(t, srv, router, rooms(website1, website2), crisp.WithHooks(crisp.Hooks{RoomsRefused: told.Add}))
				err := rtm.ending(t)
				require.ErrorIs(t, err, crisp.ErrUnauthorized)
				assert.NotErrorIs(t, err, crisp.ErrRoom)
				assert.Empty(t, told.List())
			}, crisptest.WithWebsites(website1, website2))
		})
	}
}

func TestARoomComesBack(t *testing.T) {
	for name, test := range map[string]struct {
		back func(*crisptest.Server, *running)
		want []string
	}{
		"by the event": {
			back: func(srv *crisptest.Server, _ *running) {
				srv.SendFrame(`42["plugin:subscription:updated",{"website_id":"` + website2 + `","plugin_id":"p","bound":true,"target":"plugin"}]`)
			},
			want: []string{website1, website2},
		},
		"by Bind": {
			back: func(_ *crisptest.Server, rtm *running) {
				_ = rtm.Bind(context.Background(), crisp.Filter{Rooms: []string{website1, website2}})
			},
			want: []string{website1, website2},
		},
		"with a connection an hour later": {
			back: func(srv *crisptest.Server, _ *running) {
				pass(time.Hour)
				srv.DropConnections()
			},
			want: []string{website1, website2},
		},
		"but not still away an hour later": {
			back: func(srv *crisptest.Server, _ *running) {
				srv.Uninstall(website2)
				pass(time.Hour)
				srv.DropConnections()
			},
			want: []string{website1},
		},
		"nor with each connection": {
			back: func(srv *crisptest.Server, _ *running) { srv.DropConnections() },
			want: []string{website1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				router, got := sites()
				var told testkit.Log[crisp.RoomsRefused]
				rtm := run(t, srv, router, rooms(website1, website2), crisp.WithAutoRebind(), crisp.WithHooks(crisp.Hooks{RoomsRefused: told.Add}))
				authenticated(t, srv)
				srv.Uninstall(website2)
				pass(3 * time.Second)
				srv.DropConnections()
				pass(3 * time.Second)
				require.Len(t, told.List(), 1)
				srv.Install(website2)
				synctest.Wait()
				test.back(srv, rtm)
				pass(10 * time.Second)
				sayOn(srv, website1, website2)
				assert.Equal(t, test.want, got.List())
				assert.Len(t, told.List(), 1, "told once")
			}, crisptest.WithWebsites(website1, website2))
		})
	}
}

// TestRebindInHandlers has four websites install the plugin, whose handlers call
// Rebind one after the other: what comes behind them does not wait.
func TestRebindInHandlers(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		router, got := sites()
		var rtm *running
		received := make(chan struct{})
		crisp.On(router, func(ctx context.Context, ev *crisp.PluginSubscriptionUpdated) error {
			<-received
			got.Add("installed")
			return rtm.Rebind(ctx)
		})
		rtm = run(t, srv, router)
		authenticated(t, srv)
		for _, website := range []string{"w1", "w2", "w3", "w4"} {
			srv.Install(website)
		}
		synctest.Wait()
		close(received)
		sayOn(srv, website1)
		assert.Equal(t, []string{"installed", "installed", "installed", "installed", website1}, got.List(), "at once")
		assert.Len(t, srv.Binds(), 1)

		srv.Install("w5") // too soon after that
		srv.Install("w6")
		sayOn(srv, website1)
		assert.Len(t, got.List(), 6, "the first of them waits")
		pass(2500 * time.Millisecond)
		assert.Equal(t, []string{"installed", "installed", website1}, got.List()[5:])
		assert.Len(t, srv.Binds(), 2)
		sayOn(srv, "w1", "w5", "w6")
		assert.Equal(t, []string{"w1", "w5", "w6"}, got.List()[8:])
	}, crisptest.WithWebsites(website1))
}

// TestRebindOfAnotherClient in a handler of the first: what the other has looked up
// before says nothing of this event.
func TestRebindOfAnotherClient(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		router := crisp.NewRouter()
		crisp.On(router, func(context.Context, *crisp.PluginSubscriptionUpdated) error { return nil })
		other := run(t, srv, router)
		authenticated(t, srv)
		for _, website := range []string{"w1", "w2", "w3"} {
			srv.Install(website)
		}
		synctest.Wait()
		require.NoError(t, other.Rebind(t.Context()))

		handlers := crisp.NewRouter()
		crisp.On(handlers, func(ctx context.Context, _ *crisp.PluginSubscriptionUpdated) error { return other.Rebind(ctx) })
		run(t, srv, handlers)
		pass(5 * time.Second)
		require.Len(t, srv.Sessions(), 2)
		srv.Install("w4")
		pass(5 * time.Second)
		assert.Len(t, srv.Binds(), 2)
	}, crisptest.WithWebsites(website1))
}

func TestBindsThatWaitBecomeOne(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		router, _ := texts()
		rtm := run(t, srv, router)
		authenticated(t, srv)
		require.NoError(t, rtm.Rebind(t.Context()))
		began := time.Now()
		var took testkit.Log[time.Duration]
		call := func(f func() error) {
			go func() {
				assert.NoError(t, f())
				took.Add(time.Since(began))
			}()
			synctest.Wait()
		}
		for range 10 {
			call(func() error { return rtm.Rebind(t.Context()) })
		}
		for _, room := range []string{"a", "b", "c"} {
			call(func() error { return rtm.Bind(t.Context(), crisp.Filter{Rooms: []string{room}}) })
		}
		pass(time.Minute)
		assert.Equal(t, slices.Concat(slices.Repeat([]time.Duration{2500 * time.Millisecond}, 10), slices.Repeat([]time.Duration{5 * time.Second}, 3)), took.List())
		binds := srv.Binds()
		require.Len(t, binds, 3)
		assert.Equal(t, []string{"c"}, binds[2].Rooms, "the last filter")
	})
}

// TestABindThatNobodyWaitsFor is not sent.
func TestABindThatNobodyWaitsFor(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		router, _ := texts()
		rtm := run(t, srv, router)
		authenticated(t, srv)
		require.NoError(t, rtm.Rebind(t.Context()))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		assert.ErrorIs(t, rtm.Rebind(ctx), context.DeadlineExceeded)
		pass(time.Minute)
		assert.Len(t, srv.Binds(), 1)
		require.NoError(t, rtm.Rebind(t.Context()))
		synctest.Wait()
		assert.Len(t, srv.Binds(), 2, "the next is")
		go func() { time.Sleep(time.Second); _ = rtm.Close() }()
		assert.ErrorIs(t, rtm.Rebind(t.Context()), crisp.ErrClosed, "one that waits when the client ends")
	})
}

func TestAutoRebind(t *testing.T) {
	for name, filter := range map[string]crisp.Filter{
		"no filter":        {},
		"other events":     {Events: []string{"message:send"}},
		"after a Bind":     {Events: []string{"message:received"}},
		"the event itself": {Events: []string{"message:send", "plugin:subscription:updated"}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				router, got := sites()
				rtm := run(t, srv, router, crisp.WithAutoRebind(), crisp.WithFilter(filter))
				authenticated(t, srv)
				if name == "after a Bind" {
					require.NoError(t, rtm.Bind(t.Context(), crisp.Filter{Events: []string{"message:send"}}))
					pass(5 * time.Second)
				}
				bound := len(srv.Binds())
				for _, website := range []string{"w1", "w2", "w3", "w4"} {
					srv.Install(website)
					sayOn(srv, website1)
				}
				assert.Len(t, got.List(), 4, "nothing waits")
				pass(5 * time.Second)
				sayOn(srv, "w1", "w2", "w3", "w4")
				assert.Equal(t, []string{"w1", "w2", "w3", "w4"}, got.List()[4:])
				assert.Len(t, srv.Binds(), bound+2)
				srv.Uninstall("w1")
				pass(5 * time.Second)
				sayOn(srv, "w1", "w2")
				assert.Equal(t, []string{"w2"}, got.List()[8:])
				assert.EqualValues(t, 9, rtm.Stats().Received, "what no handler wants is not counted")
			}, crisptest.WithWebsites(website1))
		})
	}
}

// TestARefusedRoomAndAnUnusableList has REST refuse to list the websites for good: the
// refusal then stands.
func TestARefusedRoomAndAnUnusableList(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		srv.HandleREST("GET plugin/connect/websites/all/{page}", func(*http.Request) (int, any) {
			return http.StatusForbidden, nil
		})
		srv.RejectAuth("no")
		router, _ := sites()
		err := run(t, srv, router, rooms(website1)).ending(t)
		assert.ErrorIs(t, err, crisp.ErrUnauthorized)
		assert.NotErrorIs(t, err, crisp.ErrRoom)
		assert.ErrorContains(t, err, "can't be found out")
	})
}
