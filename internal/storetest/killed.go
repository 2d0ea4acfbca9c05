package storetest

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/crisptest"
)

const (
	killedVisitors = 8
	killedMessages = 200
	killedFor      = 5 * time.Second  // messages come, and processes are killed
	standbyFor     = 8 * time.Second  // so do they, where a client takes over from another
	standbyAlone   = 6 * time.Second  // before, until the first position is saved
	killedPatience = 14 * time.Second // until all is handled; it takes about a second
)

// Killed lets two processes of this test binary share a store. Each has an RTM
// client and is behind the load balancer of the web hooks, so that it is told of
// each message up to twice. One after the other is killed at random, and started
// again. Each message must be handled, and only once, but for handlers that failed
// and those that were cut off by the death of their process. The package's TestMain
// calls Main, which opens the store that the name stands for.
func Killed(t *testing.T, store string) {
	srv := crisptest.NewServer(t, crisptest.WithHookRetries(1000, 20*time.Millisecond))
	book := new(ledger)
	fleet := newFleet(t, srv, book, task{Store: store})
	srv.AddPluginHook(srv.Serve(http.HandlerFunc(fleet.balance)), "message:send")

	sent := make(chan []string)
	go func() { sent <- talk(srv, killedFor) }()
	for began := time.Now(); time.Since(began) < killedFor; {
		time.Sleep(time.Duration(300+rand.IntN(400)) * time.Millisecond) // a process is killed when chance will have it
		fleet.kill(t, rand.IntN(len(fleet.replicas)))
	}
	book.wait(<-sent, killedPatience)
	fleet.stop()
	book.check(t)
}

// Standby is like Killed, but one process at a time has an RTM client, and there are
// no web hooks: what one did not handle, the next finds by the position that they share.
func Standby(t *testing.T, store string) {
	srv := crisptest.NewServer(t)
	book := new(ledger)
	fleet := newFleet(t, srv, book, task{Store: store, Standby: true})
	require.NoError(t, srv.WaitAuthenticated(t.Context()))
	time.Sleep(standbyAlone) // processes have no clock to be played with: the others find that they must wait
	sent := make(chan []string)
	go func() { sent <- talk(srv, standbyFor) }()
	for n := range 4 {
		time.Sleep(standbyFor / 4) // the life of a leader
		fleet.kill(t, n%len(fleet.replicas))
	}
	book.wait(<-sent, killedPatience)
	fleet.stop()
	book.check(t)
}

// talk lets visitors send messages for a time, and returns them.
func talk(srv *crisptest.Server, during time.Duration) (all []string) {
	var visitors []*crisptest.Visitor
	for range killedVisitors {
		visitors = append(visitors, srv.Visitor())
	}
	for n := range killedMessages {
		text := fmt.Sprint("message ", n)
		visitors[n%killedVisitors].Say(text)
		all = append(all, text)
		time.Sleep(during / killedMessages) // messages come all the while that processes are killed
	}
	return all
}

// fleet are the replicas.
type fleet struct {
	task     task
	book     *ledger
	replicas []*process
}

func newFleet(t *testing.T, srv *crisptest.Server, book *ledger, of task) *fleet {
	token := srv.Token()
	of.REST, of.Identifier, of.Key, of.SigningSecret = srv.URL(), token.Identifier, token.Key, srv.SigningSecret()
	f := &fleet{book: book, task: of}
	for n := range 2 {
		f.replicas = append(f.replicas, &process{name: fmt.Sprint("replica ", n)})
	}
	t.Cleanup(f.stop)
	for _, p := range f.replicas {
		p.start(t, f)
	}
	return f
}

// kill kills a replica, whatever it is doing, and starts it again.
func (f *fleet) kill(t *testing.T, n int) {
	t.Helper()
	f.replicas[n].kill(f.book)
	f.replicas[n].start(t, f)
}

func (f *fleet) stop() {
	for _, p := range f.replicas {
		p.kill(nil)
	}
}

// balance passes a web hook on to any of the replicas.
func (f *fleet) balance(w http.ResponseWriter, r *http.Request) {
	p := f.replicas[rand.IntN(len(f.replicas))]
	forward(w, r, p.address())
}

// process is a replica that may be killed and started again.
type process struct {
	name string
	cmd  *exec.Cmd
	in   io.Closer
	life *life // what it does
	over chan struct{}

	mu  sync.Mutex // guards url
	url string     // where it serves web hooks
}

func (p *process) address() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.url
}

func (p *process) start(t *testing.T, f *fleet) {
	t.Helper()
	of := f.task
	of.Name = p.name
	env, err := of.environment()
	require.NoError(t, err)
	p.cmd = exec.Command(os.Args[0]) //nolint:gosec // this program
	p.cmd.Env, p.cmd.Stderr = env, os.Stderr
	p.in, err = p.cmd.StdinPipe()
	require.NoError(t, err)
	out, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	p.life, p.over = f.book.newLife(), make(chan struct{})
	ready := make(chan struct{})
	go func() {
		defer close(p.over)
		f.book.read(t, p.life, out, func(url string) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.url = url
			close(ready)
		})
	}()
	select {
	case <-ready:
	case <-p.over:
		require.FailNow(t, "a replica ends by itself")
	}
}

// kill ends the process, if it runs. With a book, that is one of the deaths that
// count.
func (p *process) kill(book *ledger) {
	if p.cmd == nil {
		return
	}
	if book != nil {
		book.dies(p.life)
	}
	_ = p.cmd.Process.Kill()
	<-p.over // all that it has told was read
	_ = p.cmd.Wait()
	_ = p.in.Close()
	p.cmd = nil
}
