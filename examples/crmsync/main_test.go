package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

// TestMain is the program itself where a test runs it as another process.
func TestMain(m *testing.M) {
	if os.Getenv("CRMSYNC_TEST_LIVE") != "" {
		fmt.Fprintln(os.Stderr, live(context.Background(), "contacts.db"))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func TestDemo(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, demo(t.Context(), &out))
	assert.Equal(t, `1. Before the program runs, Crisp has Ada and Bob.
   ada@example.com | Ada | - | -
   bob@example.com | Bob | - | -
2. In Crisp, Cleo comes, Ada moves to ACME, Bob leaves.
   ada@example.com | Ada | - | ACME
   cleo@example.com | Cleo | - | -
3. In the database, Dora comes, Ada gets a phone, Cleo leaves.
   ada@example.com | Ada | +49 30 1 | ACME
   dora@example.com | Dora | - | -
4. While it does not run, Dora gets a phone in the database, Evi comes in Crisp, and Ada is
   changed in both: in Crisp later. It starts again.
   ada@example.com | Ada | +49 30 1 | ACME | vip
   dora@example.com | Dora | +49 30 4 | -
   evi@example.com | Evi | - | -
`, out.String())
}

// bench is a Crisp, a database and what keeps them the same, step by step.
type bench struct {
	*scene
	*syncer
	t *testing.T
}

func newBench(t *testing.T) *bench {
	t.Helper()
	srv := crisptest.NewServer(t)
	s, err := openStore(t.Context(), filepath.Join(t.TempDir(), "contacts and %more?.db"))
	require.NoError(t, err)
	client := srv.Client()
	t.Cleanup(func() {
		client.CloseIdleConnections()
		assert.NoError(t, s.close())
	})
	return &bench{
		scene: &scene{srv: srv, store: s}, syncer: newSyncer(client, crisptest.WebsiteID, s), t: t,
	}
}

func (b *bench) exec(statements ...string) {
	b.t.Helper()
	require.NoError(b.t, b.sql(b.t.Context(), statements...))
}

func (b *bench) update(peopleID string, changes map[string]any) {
	b.srv.UpdateProfile(crisptest.WebsiteID, peopleID, changes)
}

// assertSame asserts that both sides have these contacts, and nothing waits.
func (b *bench) assertSame(lines ...string) {
	b.t.Helper()
	here, err := b.here(b.t.Context())
	require.NoError(b.t, err)
	assert.Equal(b.t, lines, here, "in the database")
	assert.Equal(b.t, lines, b.there(), "in Crisp")
}

// written returns how many requests have changed something in Crisp.
func (b *bench) written() (n int) {
	for _, r := range b.srv.Requests() {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			n++
		}
	}
	return n
}

// phone is a change of a contact in Crisp.
func phone(number string) map[string]any {
	return map[string]any{"person": map[string]any{"phone": number}}
}

func TestWhatComesFromOneSideDoesNotGoBack(t *testing.T) {
	b, ctx := newBench(t), t.Context()
	ada := b.add("Ada")
	require.NoError(t, b.list(ctx))
	b.update(ada, phone("1"))
	require.NoError(t, b.refresh(ctx, ada))
	require.NoError(t, b.sendPending(ctx))
	assert.Zero(t, b.written(), "what came from Crisp")

	b.exec(`UPDATE contacts SET phone = '2'`)
	require.NoError(t, b.sendPending(ctx))
	assert.Equal(t, 1, b.written())
	for range 3 { // the events of that, and a list
		require.NoError(t, b.refresh(ctx, ada))
		require.NoError(t, b.list(ctx))
		require.NoError(t, b.sendPending(ctx))
	}
	assert.Equal(t, 1, b.written())
	b.assertSame("ada@example.com | Ada | 2 | -")
}

func TestTheLaterOfTwoChangesWins(t *testing.T) {
	for name, tt := range map[string]struct {
		here time.Duration // when it was changed in the database, after the change in Crisp
		want string
	}{
		"in Crisp":        {-time.Hour, "ada@example.com | Ada | crisp | -"},
		"in the database": {time.Hour, "ada@example.com | Ada | here | -"},
	} {
		for _, way := range []string{"by an event", "by a list", "by the outbox"} {
			t.Run(name+" "+way, func(t *testing.T) {
				b, ctx := newBench(t), t.Context()
				ada := b.add("Ada")
				require.NoError(t, b.list(ctx))
				b.update(ada, phone("crisp"))
				b.exec(`UPDATE contacts SET crisp_at = 1`) // not in the millisecond that is known
				b.exec(`UPDATE contacts SET phone = 'here'`,
					fmt.Sprintf(`UPDATE contacts SET changed_at = %d`, time.Now().Add(tt.here).UnixMilli()))
				switch way {
				case "by an event":
					require.NoError(t, b.refresh(ctx, ada))
				case "by a list":
					require.NoError(t, b.list(ctx))
				}
				require.NoError(t, b.sendPending(ctx))
				b.assertSame(tt.want)
			})
		}
	}
}

// TestAChangeWhileTheOneBeforeIsSent has the echo of a change come when the next one
// waits already: to Crisp, the echo is the later one.
func TestAChangeWhileTheOneBeforeIsSent(t *testing.T) {
	b, ctx := newBench(t), t.Context()
	ada := b.add("Ada")
	require.NoError(t, b.list(ctx))
	b.exec(`UPDATE contacts SET phone = '1'`)
	pending, err := b.syncer.store.pending(ctx)
	require.NoError(t, err)
	require.Len(t, pending, 1)
	b.exec(`UPDATE contacts SET phone = '2'`) // meanwhile
	_, err = b.write(ctx, pending[0])
	require.NoError(t, err)
	require.NoError(t, b.refresh(ctx, ada))
	require.NoError(t, b.sendPending(ctx))
	b.assertSame("ada@example.com | Ada | 2 | -")
}

func TestAContactThatIsKilledWhileItIsMadeIsMadeOnce(t *testing.T) {
	b, ctx := newBench(t), t.Context()
	b.exec(`INSERT INTO contacts (email, segments) VALUES ('Dora@example.com', '["vip"]')`)
	pending, err := b.syncer.store.pending(ctx)
	require.NoError(t, err)
	require.Len(t, pending, 1)
	_, err = b.write(ctx, pending[0]) // and the program is killed
	require.NoError(t, err)
	require.NoError(t, b.list(ctx))
	require.NoError(t, b.sendPending(ctx))
	assert.Equal(t, 1, b.written())
	assert.Len(t, b.srv.Profiles(), 1)
	pending, err = b.syncer.store.pending(ctx)
	require.NoError(t, err)
	assert.Empty(t, pending)
}

func TestRemovals(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*bench, string)
		want   []string
	}{
		"in the database": {func(b *bench, _ string) { b.exec(`UPDATE contacts SET removed = 1`) }, nil},
		"in Crisp":        {func(b *bench, id string) { b.srv.RemoveProfile(crisptest.WebsiteID, id) }, nil},
		"in both": {func(b *bench, id string) {
			b.exec(`UPDATE contacts SET removed = 1`)
			b.srv.RemoveProfile(crisptest.WebsiteID, id)
		}, nil},
		"in Crisp, and changed here": {func(b *bench, id string) {
			b.exec(`UPDATE contacts SET phone = '1'`)
			b.srv.RemoveProfile(crisptest.WebsiteID, id)
		}, nil},
		"here, and changed in Crisp later": {func(b *bench, id string) {
			b.exec(`UPDATE contacts SET removed = 1`, `UPDATE contacts SET changed_at = 1, crisp_at = 1`)
			b.update(id, phone("2"))
		}, []string{"ada@example.com | Ada | 2 | -"}},
		"here before it was ever sent": {func(b *bench, _ string) {
			b.exec(`UPDATE contacts SET removed = 1`,
				`INSERT INTO contacts (email) VALUES ('x@example.com')`, `UPDATE contacts SET removed = 1`)
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			b, ctx := newBench(t), t.Context()
			ada := b.add("Ada")
			require.NoError(t, b.list(ctx))
			before, err := b.people.Profile(ctx, ada)
			require.NoError(t, err)
			tt.change(b, ada)
			require.NoError(t, b.sendPending(ctx))
			require.NoError(t, b.list(ctx))
			require.NoError(t, b.syncer.store.apply(ctx, before)) // what was read before comes late
			b.assertSame(tt.want...)
			pending, err := b.syncer.store.pending(ctx)
			require.NoError(t, err)
			assert.Empty(t, pending, "what came from Crisp does not go back")
		})
	}
}

func TestAChangeOfWhatIsKnownNeedsNoClock(t *testing.T) {
	b, ctx := newBench(t), t.Context()
	ada := b.add("Ada")
	require.NoError(t, b.list(ctx))
	b.exec(`UPDATE contacts SET phone = '1'`, `UPDATE contacts SET changed_at = 1`) // by a clock that is years behind
	require.NoError(t, b.refresh(ctx, ada))
	require.NoError(t, b.sendPending(ctx))
	b.assertSame("ada@example.com | Ada | 1 | -")
}

func TestAContactThatMovedToAnotherPageIsNotRemoved(t *testing.T) {
	b, ctx := newBench(t), t.Context()
	b.add("Ada")
	require.NoError(t, b.list(ctx))
	b.exec(`UPDATE contacts SET seen_at = 0`)
	b.srv.HandleREST("GET website/{website}/people/profiles/{page}", func(*http.Request) (int, any) { return http.StatusOK, []any{} })
	require.NoError(t, b.list(ctx))
	b.assertSame("ada@example.com | Ada | - | -")
}

func TestWhatIsReadLateChangesNothing(t *testing.T) {
	b, ctx := newBench(t), t.Context()
	ada := b.add("Ada")
	before, err := b.people.Profile(ctx, ada)
	require.NoError(t, err)
	before.UpdatedAt = before.UpdatedAt.Add(-time.Second)
	b.update(ada, phone("1"))
	require.NoError(t, b.refresh(ctx, ada))
	require.NoError(t, b.syncer.store.apply(ctx, before))
	b.assertSame("ada@example.com | Ada | 1 | -")
}

func TestAContactThatCrispRefusesDoesNotKeepTheOthers(t *testing.T) {
	b, ctx := newBench(t), t.Context()
	b.exec(`INSERT INTO contacts (nickname) VALUES ('Nobody')`, `INSERT INTO contacts (email) VALUES ('eve@example.com')`)
	require.NoError(t, b.sendPending(ctx))
	assert.Equal(t, []string{"eve@example.com | eve | - | -"}, b.there())
	asked := b.written()
	require.NoError(t, b.sendPending(ctx))
	assert.Equal(t, asked, b.written(), "it waits")

	b.exec(`UPDATE contacts SET email = 'nobody@example.com' WHERE nickname = 'Nobody'`)
	require.NoError(t, b.sendPending(ctx))
	assert.Len(t, b.there(), 2)
}

func TestWhatIsNotSentStaysInTheOutbox(t *testing.T) {
	b, ctx := newBench(t), t.Context()
	b.add("Ada")
	require.NoError(t, b.list(ctx))
	b.exec(`UPDATE contacts SET phone = '1'`)
	b.srv.FailREST(http.StatusForbidden, 1)
	require.ErrorIs(t, b.sendPending(ctx), crisp.ErrScope)
	require.NoError(t, b.sendPending(ctx))
	b.assertSame("ada@example.com | Ada | 1 | -")
}

func TestARowIsMarkedAsRemovedNotDeleted(t *testing.T) {
	b := newBench(t)
	b.exec(`INSERT INTO contacts (email) VALUES ('x@example.com')`)
	assert.ErrorContains(t, b.sql(t.Context(), `DELETE FROM contacts`), "set removed = 1")
}

func TestAnEventThatIsLostMakesAList(t *testing.T) {
	b := newBench(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // as when the database is out of reach
	require.Error(t, b.router().Dispatch(ctx, &crisp.PeopleProfileRemoved{WebsiteID: "w", PeopleID: "ada"}))
	assert.Len(t, b.stale, 1)
	b.markStale() // at most once
	assert.Len(t, b.stale, 1)
}

func TestADatabaseThatIsLockedForAMomentLosesNothing(t *testing.T) {
	b := newBench(t)
	ada := b.add("Ada")
	failures := 1
	router := b.router()
	crisp.On(router, func(context.Context, *crisp.PeopleProfileCreated) error {
		if failures--; failures >= 0 {
			return errors.New("database is locked")
		}
		return nil
	})
	require.NoError(t, router.Dispatch(t.Context(), &crisp.PeopleProfileCreated{WebsiteID: crisptest.WebsiteID, PeopleID: ada}))
	assert.Equal(t, -1, failures)
	b.assertSame("ada@example.com | Ada | - | -")
	assert.Empty(t, b.stale)
}

// TestItMayBeKilledAtAnyTime runs the program as another process, which is killed in
// each round after another number of requests, while both sides change.
func TestItMayBeKilledAtAnyTime(t *testing.T) {
	b, ctx := newBench(t), t.Context()
	dir := t.TempDir()
	s, err := openStore(ctx, filepath.Join(dir, "contacts.db"))
	require.NoError(t, err)
	defer func() { assert.NoError(t, s.close()) }()
	d := &scene{srv: b.srv, store: s, out: &bytes.Buffer{}}
	crispsID := d.add("Crisp")
	require.NoError(t, d.sql(ctx, `INSERT INTO contacts (email, nickname) VALUES ('here@example.com', 'Here')`))

	const rounds = 16
	for round := range rounds {
		before := len(b.srv.Requests())
		program := exec.CommandContext(ctx, os.Args[0])
		program.Dir = dir
		program.Env = append(os.Environ(), "CRMSYNC_TEST_LIVE=1", "CRISP_BASE_URL="+b.srv.URL(),
			"CRISP_IDENTIFIER="+b.srv.Token().Identifier, "CRISP_KEY="+b.srv.Token().Key, "CRISP_WEBSITE_ID="+crisptest.WebsiteID)
		require.NoError(t, program.Start())
		require.NoError(t, d.sql(ctx,
			fmt.Sprintf(`UPDATE contacts SET phone = '%d' WHERE nickname = 'Here'`, round),
			fmt.Sprintf(`INSERT INTO contacts (email, nickname) VALUES ('new%02d@example.com', 'New %d')`, round, round)))
		b.update(crispsID, phone(fmt.Sprint(round)))
		_, err := b.srv.WaitRequest(ctx, func(crisptest.Request) bool { return len(b.srv.Requests()) >= before+1+round%7 }) // of about ten
		require.NoError(t, err)
		require.NoError(t, program.Process.Kill())
		require.Error(t, program.Wait())
	}
	require.NoError(t, d.whileRunning(ctx, func(same func() error) error { return same() }))
	all := d.there()
	assert.Len(t, all, rounds+2, "each contact once")
	assert.Contains(t, all, fmt.Sprintf("here@example.com | Here | %d | -", rounds-1))
	assert.Contains(t, all, fmt.Sprintf("crisp@example.com | Crisp | %d | -", rounds-1))
}

func TestADatabaseThatCanNotBeOpenedIsAnError(t *testing.T) {
	_, err := openStore(t.Context(), filepath.Join(t.TempDir(), "missing", "contacts.db"))
	assert.ErrorContains(t, err, "contacts.db")
}

func TestContactsAreForThisUserAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "contacts.db")
	s, err := openStore(t.Context(), path)
	require.NoError(t, err)
	defer func() { require.NoError(t, s.close()) }()
	files, err := filepath.Glob(path + "*")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		info, err := os.Stat(file)
		require.NoError(t, err)
		assert.Zero(t, info.Mode().Perm()&0o077, file)
	}
}

func TestSettingsThatAreMissingAreErrors(t *testing.T) {
	srv := crisptest.NewServer(t)
	for variable, value := range map[string]string{"CRISP_WEBSITE_ID": "", "CRISP_KEY": "", "CRISP_TIER": "operator"} {
		t.Run(variable, func(t *testing.T) {
			srv.Setenv(t)
			t.Setenv(variable, value)
			assert.ErrorContains(t, live(t.Context(), filepath.Join(t.TempDir(), "contacts.db")), variable)
		})
	}
}
