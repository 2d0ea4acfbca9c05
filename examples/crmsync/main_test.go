package main

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/rest"
)

// childDB is the variable that has a test process be the program itself.
const childDB = "CRMSYNC_TEST_DB"

func TestMain(m *testing.M) {
	if path := os.Getenv(childDB); path != "" {
		if err := live(context.Background(), os.Getenv, path); err != nil {
			panic(err)
		}
		return
	}
	os.Exit(m.Run())
}

func TestDemo(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, demo(t.Context(), &out))
	assert.Equal(t, `1. Before the program runs, Crisp has Ada and Bob.
   the database has:
   - ada@example.com | Ada
   - bob@example.com | Bob
2. While it runs, Cleo comes, Ada moves to ACME and Bob leaves: all in Crisp.
   the database has:
   - ada@example.com | Ada | ACME
   - cleo@example.com | Cleo
3. Somebody changes the database by SQL: Ada is a VIP, Eve is new, Cleo is removed.
   Crisp has:
   - ada@example.com | Ada | ACME | vip
   - eve@example.com | Eve
4. While it does not run, Dora comes in Crisp, and Eve gets a company in the database. It starts again.
   the database has:
   - ada@example.com | Ada | ACME | vip
   - dora@example.com | Dora
   - eve@example.com | Eve | Initech
   Crisp has:
   - ada@example.com | Ada | ACME | vip
   - dora@example.com | Dora
   - eve@example.com | Eve | Initech
`, out.String())
}

func testStore(t *testing.T) *store {
	t.Helper()
	s, err := openStore(t.Context(), filepath.Join(t.TempDir(), "contacts and %more?.db"))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.close()) })
	return s
}

// running runs the program with a server and an empty database.
func running(t *testing.T, srv *crisptest.Server, do func(ctx context.Context, p *program)) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "contacts.db")
	require.NoError(t, whileRunning(t.Context(), srv, path, func(p *program) error {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		do(ctx, p)
		return nil
	}, t.Output()))
}

// writes returns the requests that changed contacts.
func writes(srv *crisptest.Server) (requests []string) {
	for _, r := range srv.Requests() {
		if r.Method != http.MethodGet && strings.Contains(r.Path, "/people/") {
			requests = append(requests, r.Method)
		}
	}
	return requests
}

func TestWhatCameFromCrispDoesNotGoBack(t *testing.T) {
	srv := crisptest.NewServer(t)
	srv.AddProfile(card("ada@example.com", "Ada"))
	running(t, srv, func(ctx context.Context, p *program) {
		bob := srv.AddProfile(card("bob@example.com", "Bob"))
		srv.UpdateProfile(bob.WebsiteID, bob.PeopleID, map[string]any{"company": map[string]any{"name": "ACME"}})
		require.NoError(t, p.until(ctx, "ada@example.com | Ada", "bob@example.com | Bob | ACME"))
		pending, err := p.store.pending(ctx)
		require.NoError(t, err)
		assert.Empty(t, pending)
	})
	assert.Empty(t, writes(srv))
}

func TestWhatIsSentComesBackOnce(t *testing.T) {
	srv := crisptest.NewServer(t)
	running(t, srv, func(ctx context.Context, p *program) {
		require.NoError(t, p.exec(ctx, `INSERT INTO contacts (email, nickname) VALUES ('eve@example.com', 'Eve')`))
		require.NoError(t, p.untilCrisp(ctx, "eve@example.com | Eve"))
		_, err := srv.WaitHandled(ctx, func(h crisptest.Handled) bool { return h.Event.EventName() == "people:profile:created" })
		require.NoError(t, err)
		require.NoError(t, p.exec(ctx, `UPDATE contacts SET phone = '+1' WHERE email = 'eve@example.com'`))
		_, err = srv.WaitHandled(ctx, func(h crisptest.Handled) bool { return h.Event.EventName() == "people:profile:updated" })
		require.NoError(t, err)
		require.NoError(t, p.until(ctx, "eve@example.com | Eve"))
	})
	assert.Equal(t, []string{http.MethodPost, http.MethodPatch}, writes(srv))
}

func TestTheLaterChangeWins(t *testing.T) {
	for name, test := range map[string]struct {
		crispAt time.Duration // after the change in the database
		want    string
		pending bool
	}{
		"the database's":     {-time.Second, "here", true},
		"Crisp's":            {time.Second, "there", false},
		"at the same moment": {0, "there", false},
	} {
		t.Run(name, func(t *testing.T) {
			s, ctx := testStore(t), t.Context()
			require.NoError(t, s.apply(ctx, profile("ada", "first", time.Unix(1, 0))))
			_, err := s.db.ExecContext(ctx, `UPDATE contacts SET nickname = 'here'`)
			require.NoError(t, err)
			rows, err := s.pending(ctx)
			require.NoError(t, err)
			require.Len(t, rows, 1)
			changed := time.UnixMilli(rows[0].changedAt)

			require.NoError(t, s.apply(ctx, profile("ada", "there", changed.Add(test.crispAt))))
			rows, err = s.contacts(ctx)
			require.NoError(t, err)
			require.Len(t, rows, 1)
			assert.Equal(t, test.want, rows[0].Nickname)
			assert.Equal(t, test.pending, rows[0].number != 0)
		})
	}
}

func profile(peopleID, nickname string, at time.Time) *rest.Profile {
	return &rest.Profile{PeopleID: peopleID, Email: peopleID + "@example.com", Person: crisp.Person{Nickname: nickname}, UpdatedAt: at}
}

func TestWhatIsReadLateChangesNothing(t *testing.T) {
	s, ctx := testStore(t), t.Context()
	require.NoError(t, s.apply(ctx, profile("ada", "new", time.Unix(2, 0))))
	require.NoError(t, s.apply(ctx, profile("ada", "old", time.Unix(1, 0))))
	rows, err := s.contacts(ctx)
	require.NoError(t, err)
	require.Len(t, rows, 1)
	assert.Equal(t, "new", rows[0].Nickname)

	require.NoError(t, s.gone(ctx, "ada"))
	require.NoError(t, s.apply(ctx, profile("ada", "old", time.Unix(3, 0))))
	rows, err = s.contacts(ctx)
	require.NoError(t, err)
	assert.Empty(t, rows, "it was removed")
}

func TestAChangeThatCrispRefusesKeepsNoOther(t *testing.T) {
	srv := crisptest.NewServer(t)
	running(t, srv, func(ctx context.Context, p *program) {
		require.NoError(t, p.exec(ctx, `
			INSERT INTO contacts (nickname) VALUES ('Nobody');
			INSERT INTO contacts (email, nickname) VALUES ('eve@example.com', 'Eve')`))
		require.NoError(t, p.untilCrisp(ctx, "eve@example.com | Eve"))
		var refusal string
		require.NoError(t, p.store.db.QueryRowContext(ctx, `SELECT refusal FROM outbox`).Scan(&refusal))
		assert.Equal(t, "invalid_data", refusal)
		require.NoError(t, p.exec(ctx, `UPDATE contacts SET email = 'nobody@example.com' WHERE nickname = 'Nobody'`))
		require.NoError(t, p.untilCrisp(ctx, "eve@example.com | Eve", "nobody@example.com | Nobody"))
	})
}

func TestAnEventThatIsLostIsMadeUpForByAList(t *testing.T) {
	srv := crisptest.NewServer(t)
	client := srv.Client()
	t.Cleanup(client.CloseIdleConnections)
	sync := newSyncer(client, crisptest.WebsiteID, testStore(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // as when the database is out of reach
	require.Error(t, sync.router().Dispatch(ctx, &crisp.PeopleProfileRemoved{WebsiteID: crisptest.WebsiteID, PeopleID: "ada"}))
	assert.Len(t, sync.stale, 1)
	sync.markStale() // at most once
	assert.Len(t, sync.stale, 1)
}

func TestAContactThatSlippedFromPageToPageStays(t *testing.T) {
	srv := crisptest.NewServer(t)
	ada := srv.AddProfile(card("ada@example.com", "Ada"))
	client := srv.Client()
	t.Cleanup(client.CloseIdleConnections)
	sync := newSyncer(client, crisptest.WebsiteID, testStore(t))
	require.NoError(t, sync.list(t.Context()))
	srv.HandleREST("GET website/{website}/people/profiles/{page}", func(*http.Request) (int, any) { return http.StatusOK, []any{} })
	require.NoError(t, sync.list(t.Context()))
	rows, err := sync.store.contacts(t.Context())
	require.NoError(t, err)
	assert.Len(t, rows, 1)

	srv.RemoveProfile(ada.WebsiteID, ada.PeopleID)
	require.NoError(t, sync.list(t.Context()))
	rows, err = sync.store.contacts(t.Context())
	require.NoError(t, err)
	assert.Empty(t, rows)
}

// The program is killed again and again while both sides change.
func TestNothingIsLostWhenTheProgramIsKilled(t *testing.T) {
	srv := crisptest.NewServer(t)
	path := filepath.Join(t.TempDir(), "contacts.db")
	s, err := openStore(t.Context(), path)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.close()) })
	start := func() *exec.Cmd {
		child := exec.CommandContext(t.Context(), os.Args[0])
		child.Env = append(os.Environ(), childDB+"="+path,
			"CRISP_IDENTIFIER="+srv.Token().Identifier, "CRISP_KEY="+srv.Token().Key,
			"CRISP_BASE_URL="+srv.URL(), "CRISP_WEBSITE_ID="+crisptest.WebsiteID)
		require.NoError(t, child.Start())
		return child
	}
	kill := func(child *exec.Cmd) {
		require.NoError(t, child.Process.Kill())
		_ = child.Wait() // it was killed
	}

	var want []string
	for round := range 10 {
		child := start()
		for i := range 5 {
			name := string(rune('a'+round)) + string(rune('a'+i))
			srv.AddProfile(card(name+"@crisp.example", name))
			_, err := s.db.ExecContext(t.Context(), `INSERT INTO contacts (email, nickname) VALUES (?, ?)`, name+"@db.example", name)
			require.NoError(t, err)
			want = append(want, line(name+"@crisp.example", name), line(name+"@db.example", name))
		}
		before := len(srv.Requests())
		_, err := srv.WaitRequest(t.Context(), func(crisptest.Request) bool { return len(srv.Requests()) >= before+2+2*round })
		require.NoError(t, err) // each is killed at another moment
		kill(child)
	}
	child := start()
	defer kill(child)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	changed := make(chan struct{}, 1)
	p := &program{srv: srv, store: s, changed: changed, out: t.Output()}
	go func() { // the database tells nobody
		ticker := time.NewTicker(20 * time.Millisecond)
		defer ticker.Stop()
		for ctx.Err() == nil {
			<-ticker.C
			select {
			case changed <- struct{}{}:
			default:
			}
		}
	}()
	require.NoError(t, p.until(ctx, want...))
	require.NoError(t, p.untilCrisp(ctx, want...))
}

func TestADatabaseThatCanNotBeOpenedIsAnError(t *testing.T) {
	_, err := openStore(t.Context(), filepath.Join(t.TempDir(), "missing", "contacts.db"))
	assert.ErrorContains(t, err, "contacts.db")
}

func TestSettingsThatLackSomethingAreRefused(t *testing.T) {
	for name, test := range map[string]struct {
		env  map[string]string
		want string
	}{
		"website":    {map[string]string{"CRISP_IDENTIFIER": "a", "CRISP_KEY": "b"}, "CRISP_WEBSITE_ID is not set"},
		"known tier": {map[string]string{"CRISP_WEBSITE_ID": "w", "CRISP_TIER": "x"}, `CRISP_TIER is "x"`},
		"key":        {map[string]string{"CRISP_WEBSITE_ID": "w", "CRISP_IDENTIFIER": "a"}, "key"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := newClient(func(name string) string { return test.env[name] })
			assert.ErrorContains(t, err, test.want)
		})
	}
}

func TestContactsAreForThisUserAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "contacts.db")
	s, err := openStore(t.Context(), path)
	require.NoError(t, err)
	defer func() { require.NoError(t, s.close()) }()
	files, err := filepath.Glob(path + "*")
	require.NoError(t, err)
	for _, file := range files {
		info, err := os.Stat(file)
		require.NoError(t, err)
		assert.Zero(t, info.Mode().Perm()&0o077, file)
	}
}
