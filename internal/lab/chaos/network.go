package chaos

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"
)

// network stands between a client and Crisp. All connections go through links,
// which can be made to fail.
type network struct {
	dial   func(ctx context.Context, network, address string) (net.Conn, error)
	pair   pairFunc
	ledger *ledger

	mu    sync.Mutex // guards what follows
	links []*link
	delay time.Duration // the most that a chunk is held up
	down  bool          // nobody can be reached
	thaw  chan struct{} // closed when what is frozen goes on; nil = nothing is
}

// pairFunc makes a connection's two ends.
type pairFunc func() (client, proxy net.Conn, err error)

var errDown = errors.New("chaos: the network is down")

// DialContext connects as net.Dialer does.
func (n *network) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	n.mu.Lock()
	down := n.down
	n.mu.Unlock()
	if down {
		return nil, errDown
	}
	far, err := n.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	client, near, err := n.pair()
	if err != nil {
		_ = far.Close()
		return nil, err
	}
	l := &link{network: n, near: near, far: far, tap: newTap(client, n.ledger), done: make(chan struct{})}
	n.mu.Lock()
	n.links = append(n.links, l)
	n.mu.Unlock()
	go l.carry(far, near, true)
	go l.carry(near, far, false)
	return l.tap, nil
}

func (n *network) forget(l *link) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.links = slices.DeleteFunc(n.links, func(other *link) bool { return other == l })
}

// each does something to all links, or to those that are chosen.
func (n *network) each(do func(l *link)) {
	n.mu.Lock()
	links := slices.Clone(n.links)
	n.mu.Unlock()
	for _, l := range links {
		do(l)
	}
}

func (n *network) setDelay(most time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.delay = most
}

func (n *network) setDown(down bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.down = down
}

// setFrozen lets nothing pass for some time, and lets nobody see that.
func (n *network) setFrozen(frozen bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case frozen && n.thaw == nil:
		n.thaw = make(chan struct{})
	case !frozen && n.thaw != nil:
		close(n.thaw)
		n.thaw = nil
	}
}

// thawed waits as long as it is frozen.
func (n *network) thawed() {
	n.mu.Lock()
	thaw := n.thaw
	n.mu.Unlock()
	if thaw != nil {
		<-thaw
	}
}

// heal ends what lasts. Links that are mute stay so: nothing tells who is at
// their other end.
func (n *network) heal() {
	n.setDelay(0)
	n.setDown(false)
	n.setFrozen(false)
}

func (n *network) holdUp() time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.delay == 0 {
		return 0
	}
	return rand.N(n.delay)
}

// link is a connection, in two halves and what happens between them.
type link struct {
	network   *network
	near, far net.Conn // towards the client, towards Crisp
	tap       *tap     // the client's end
	once      sync.Once
	done      chan struct{}

	mu       sync.Mutex // guards what follows
	mute     bool
	truncate bool
}

// carry brings what comes from one end to the other.
func (l *link) carry(from, to net.Conn, down bool) {
	defer l.close()
	buf := make([]byte, 16<<10)
	for {
		n, err := from.Read(buf)
		l.network.thawed()
		if n > 0 && !l.pass(to, buf[:n], down) {
			return
		}
		if err != nil {
			return
		}
	}
}

// pass reports whether the link outlived it.
func (l *link) pass(to net.Conn, chunk []byte, down bool) bool {
	if !l.sleep(l.network.holdUp()) {
		return false
	}
	l.mu.Lock()
	mute, truncate := l.mute, l.truncate && down
	l.mu.Unlock()
	switch {
	case mute:
		return true
	case truncate:
		_, _ = to.Write(chunk[:len(chunk)/2])
		return false
	}
	_, err := to.Write(chunk)
	return err == nil
}

func (l *link) sleep(d time.Duration) bool {
	if d == 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-l.done:
		return false
	}
}

// close ends the link as a proxy does that goes away: what is on its way is
// lost.
func (l *link) close() {
	l.once.Do(func() {
		close(l.done)
		_ = l.near.Close()
		_ = l.far.Close()
		l.network.forget(l)
	})
}

// reset ends it with a TCP reset.
func (l *link) reset() {
	l.tap.fail(syscall.ECONNRESET)
	if tcp, ok := l.near.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	l.close()
}

// halfOpen carries nothing any more, and yet stays.
func (l *link) halfOpen() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mute = true
}

// cutShort ends it in the middle of what comes next from Crisp.
func (l *link) cutShort() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.truncate = true
}

// tcpPair is a connection over loopback to this process itself.
func tcpPair() (client, proxy net.Conn, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = listener.Close() }()
	if client, err = net.Dial("tcp", listener.Addr().String()); err != nil {
		return nil, nil, err
	}
	if proxy, err = listener.Accept(); err != nil {
		_ = client.Close()
	}
	return client, proxy, err
}

// memoryPair is the same without sockets.
func memoryPair() (client, proxy net.Conn, err error) {
	client, proxy = net.Pipe()
	return client, proxy, nil
}
