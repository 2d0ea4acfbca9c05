package socketio

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// startRaw serves a connection whose frames script writes as bytes; what the
// client writes is thrown away.
func startRaw(t *testing.T, version int, script func(conn net.Conn)) *http.Client {
	t.Helper()
	var scripts sync.WaitGroup
	t.Cleanup(scripts.Wait)
	return startHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		scripts.Add(1)
		defer scripts.Done()
		conn := upgrade(t, w, r)
		defer func() { _ = conn.Close() }()
		scripts.Go(func() { _, _ = io.Copy(io.Discard, conn) })
		connected := connectPacket
		if version == 3 {
			connected = "40"
		}
		_, _ = conn.Write(append(textFrame(openPacket), textFrame(connected)...))
		script(conn)
	})
}

// TestBytesAreNoSignOfLife has servers that never say anything in Engine.IO, but
// are not silent.
func TestBytesAreNoSignOfLife(t *testing.T) {
	for name, test := range map[string]struct {
		begin, again string
		every        time.Duration
	}{
		"WebSocket pings":        {"", "\x89\x00", time.Second},
		"WebSocket pongs":        {"", "\x8a\x02hi", time.Second},
		"a byte of a frame":      {"\x81\x7e\xff\xff", "x", time.Second / 2},
		"a byte of a large one":  {"\x81\x7f\x00\x00\x00\x00\x00\x10\x00\x00", "x", time.Second / 2},
		"a byte of a header":     {"", "\x81", 44 * time.Second},
		"empty fragments":        {"\x01\x00", "\x00\x00", time.Millisecond},
		"pings between them":     {"\x01\x01x", strings.Repeat("\x89\x7d"+strings.Repeat("p", 125), 200), time.Second},
		"bytes in binary frames": {"\x82\x7e\xff\xff", "x", time.Second / 2},
	} {
		for _, version := range []int{3, 4} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					client := startRaw(t, version, func(conn net.Conn) {
						_, err := io.WriteString(conn, test.begin)
						for start := time.Now(); err == nil && time.Since(start) < 5*time.Minute; {
							time.Sleep(test.every)
							_, err = io.WriteString(conn, test.again)
						}
					})
					c := open(t, client, Options{Version: version})
					start := time.Now()
					_, err := c.Next()
					assert.ErrorIs(t, err, ErrTimeout)
					assert.InDelta(t, interval+timeout, time.Since(start), float64(3*time.Second))
				})
			})
		}
	}
}

// TestLargePacketsMayTakeTheirTime sends packets for longer than the peer may be
// silent, at various speeds.
func TestLargePacketsMayTakeTheirTime(t *testing.T) {
	const size = 4 << 20
	event := `42["a","` + strings.Repeat("x", size) + `"]`
	for name, test := range map[string]struct {
		perSecond int
		stops     int // after how many bytes nothing more comes
		want      string
	}{
		"fast enough":      {minRate * 2, size * 2, ""},
		"just fast enough": {minRate, size * 2, ""},
		"too slow":         {minRate / 2, size * 2, "bytes of a packet have come in"},
		"stops":            {minRate * 16, size / 2, "and no more in the last 45s"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				gone := make(chan struct{})
				client := startRaw(t, 4, func(conn net.Conn) {
					frame := textFrame(event)
					for sent, err := 0, error(nil); err == nil && sent < len(frame) && sent < test.stops; sent += test.perSecond {
						_, err = conn.Write(frame[sent:min(sent+test.perSecond, len(frame))])
						time.Sleep(time.Second)
					}
					<-gone
				})
				c := open(t, client, Options{})
				defer close(gone)
				ev, err := c.Next()
				if test.want == "" {
					require.NoError(t, err)
					assert.Len(t, ev.Args, size+2)
					return
				}
				assert.ErrorIs(t, err, ErrTimeout)
				assert.ErrorContains(t, err, test.want)
			})
		})
	}
}

// TestWatchdog asks a watchdog at given times, all in seconds, about a peer that
// may be silent for 45.
func TestWatchdog(t *testing.T) {
	const s = time.Second
	type look struct {
		at   time.Duration
		wait wait
		next time.Duration // 0 = dead
	}
	silent := wait{since: s, heard: s}
	for name, looks := range map[string][]look{
		"silence":           {{2 * s, silent, 43*s + s/2}, {45*s + s/2, silent, s / 2}, {46 * s, silent, 0}},
		"nobody reads":      {{2 * s, wait{}, 44*s + s/2}, {46*s + s/2, wait{}, 44*s + s/2}},
		"stopped for long":  {{2 * s, silent, 43*s + s/2}, {1000 * s, silent, s / 2}, {1000*s + s/2, silent, 0}},
		"stopped again":     {{2 * s, silent, 43*s + s/2}, {1000 * s, silent, s / 2}, {2000 * s, silent, s / 2}, {2000*s + s/2, silent, 0}},
		"stopped, then not": {{2 * s, silent, 43*s + s/2}, {1000 * s, silent, s / 2}, {1000*s + s/2, wait{since: 1000 * s, heard: 1000 * s}, 44 * s}},
		"stopped in a packet": {
			{2 * s, wait{s, 2 * s, 16 << 10}, 44*s + s/2},
			{46 * s, wait{s, 46 * s, 16 << 10}, s / 2},
			{1000 * s, wait{s, 46 * s, 16 << 10}, s / 2},
			{1000*s + s/2, wait{s, 1000 * s, 1 << 20}, 44 * s},
		},
		"a packet that stops": {
			{2 * s, wait{s, 2 * s, 1 << 20}, 44*s + s/2},
			{46*s + s/2, wait{s, 2 * s, 1 << 20}, s / 2},
			{47 * s, wait{s, 2 * s, 1 << 20}, 0},
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newWatchdog(45 * s)
			d.due = looks[0].at
			for _, l := range looks {
				next, dead := d.look(l.at, l.wait)
				assert.Equal(t, l.next, next, "at %s", l.at)
				assert.Equal(t, l.next == 0, dead != nil)
				d.due = l.at + next
			}
		})
	}
}

// FuzzWatchdog stops the process at any times: the reader must have had its grace
// before the end, in a time in which the process ran; and a peer that is silent is
// given up in the end.
func FuzzWatchdog(f *testing.F) {
	f.Add([]byte{0, 100, 0, 0})
	f.Add([]byte{1, 1, 1, 255, 0, 0})
	f.Fuzz(func(t *testing.T, stops []byte) {
		d := newWatchdog(45 * time.Second)
		now := time.Second
		w := wait{since: now, heard: now}
		d.due = now
		ran := time.Duration(0) // since the last stop
		for n := 0; ; n++ {
			next, dead := d.look(now, w)
			if dead != nil {
				require.GreaterOrEqual(t, ran, d.grace-d.grace/10)
				return
			}
			require.Positive(t, next)
			require.Less(t, n, len(stops)+100, "never given up")
			d.due = now + next
			now = d.due
			if n < len(stops) && stops[n] > 0 { // stopped, up to some time after it should look
				ran = 0
				now += time.Duration(stops[n]) * d.grace
			} else {
				ran += next
			}
		}
	})
}

// gatedConn is a network whose reads can be held up, as all of a process is.
type gatedConn struct {
	net.Conn
	gate chan struct{} // closed = open
}

func (c gatedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	<-c.gate
	return n, err
}

// TestStoppedProcess stops the process, that is its reader and its timers, for
// longer than the peer may be silent. What came meanwhile is read.
func TestStoppedProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := startServer(t, func(p *peer) {
			p.handshake()
			time.Sleep(10 * time.Second)
			p.send(`42["one"]`, `42["two"]`)
			p.drain()
		})
		gate := make(chan struct{})
		close(gate)
		held := make(chan struct{})
		transport := client.Transport.(*http.Transport)
		dial := transport.DialContext
		var conn *gatedConn
		transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			raw, err := dial(ctx, network, addr)
			conn = &gatedConn{raw, gate}
			return conn, err
		}
		c := open(t, client, Options{})
		conn.gate = held
		c.heartbeat.timer.Stop()
		names := make(chan string, 2)
		ended := make(chan error)
		go func() {
			for {
				ev, err := c.Next()
				if err != nil {
					ended <- err
					return
				}
				names <- string(ev.Name)
			}
		}()
		time.Sleep(time.Hour)
		c.tick() // the timer is the first that runs when the process goes on
		require.NoError(t, c.err())
		close(held)
		assert.Equal(t, "one", <-names)
		assert.Equal(t, "two", <-names)
		resumed := time.Now()
		assert.ErrorIs(t, <-ended, ErrTimeout)
		assert.Equal(t, interval+timeout, time.Since(resumed))
	})
}
