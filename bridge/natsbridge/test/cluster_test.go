//go:build services

package test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/bridge/bridgetest"
	"github.com/crisp-go/crisp/bridge/natsbridge"
)

func TestCluster(t *testing.T) { bridgetest.Run(t, &cluster{nodes: startNodes(t)}) }

// cluster is the engine with three servers, in which each instance has a prefix of its
// own.
type cluster struct {
	nodes     []*node
	instances atomic.Int32
}

func (c *cluster) Start(t testing.TB, config bridgetest.Config) bridgetest.Instance {
	prefix := fmt.Sprintf("test-%d", c.instances.Add(1))
	i := &clusterInstance{
		instance: instance{config: config, options: []natsbridge.Option{
			natsbridge.WithPrefix(prefix), natsbridge.WithPartitions(config.Partitions), natsbridge.WithReplicas(3),
		}},
		nodes: c.nodes,
	}
	i.connect = i.dial
	t.Cleanup(func() { i.empty(t, strings.ToUpper(prefix)) })
	return i
}

type clusterInstance struct {
	instance
	nodes []*node
}

func (c *clusterInstance) dial(options ...nats.Option) (*nats.Conn, *dialer, error) {
	var urls []string
	for _, n := range c.nodes {
		urls = append(urls, "nats://"+n.client)
	}
	d := &dialer{dial: func(address string) (net.Conn, error) { return net.DialTimeout("tcp", address, time.Second) }}
	conn, err := natsbridge.Connect(strings.Join(urls, ","), append(options, nats.SetCustomDialer(d))...)
	return conn, d, err
}

// empty removes what the instance had in the cluster.
func (c *clusterInstance) empty(t testing.TB, name string) {
	conn, _, err := c.dial()
	if !assert.NoError(t, err) {
		return
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if !assert.NoError(t, err) {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, stream := range []string{name, name + "_DLQ", "KV_" + name} {
		_ = js.DeleteStream(ctx, stream) // it is in a temporary folder
	}
}

// Disturb cuts connections, or kills a node.
func (c *clusterInstance) Disturb(t testing.TB, rnd *rand.Rand) {
	if rnd.IntN(3) == 0 {
		c.instance.Disturb(t, rnd)
		return
	}
	n := c.nodes[rnd.IntN(len(c.nodes))]
	n.kill()
	time.Sleep(time.Duration(rnd.IntN(3000)) * time.Millisecond) // for how long the node is down, by chance
	require.NoError(t, n.start())
	n.ready(t)
}

// node is a server of a cluster, in a process of its own.
type node struct {
	program, config string
	client, monitor string // addresses

	mu  sync.Mutex // guards cmd
	cmd *exec.Cmd
}

// startNodes starts a cluster of three, which ends with the test.
func startNodes(t *testing.T) []*node {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, "nats-server")
	build := exec.Command("go", "build", "-o", program, "github.com/nats-io/nats-server/v2")
	output, err := build.CombinedOutput()
	require.NoError(t, err, string(output))

	addresses := freeAddresses(t, 9)
	routes := addresses[:3]
	var nodes []*node
	for i := range 3 {
		n := &node{
			program: program,
			config:  filepath.Join(dir, fmt.Sprintf("node%d.conf", i)),
			client:  addresses[3+i],
			monitor: addresses[6+i],
		}
		require.NoError(t, os.WriteFile(n.config, fmt.Appendf(nil, `
server_name: node%d
listen: %q
http: %q
jetstream: {store_dir: %q}
cluster: {name: test, listen: %q, routes: ["nats://%s", "nats://%s", "nats://%s"]}
`, i, n.client, n.monitor, filepath.Join(dir, fmt.Sprintf("node%d", i)), routes[i], routes[0], routes[1], routes[2]), 0o600))
		t.Cleanup(n.kill)
		require.NoError(t, n.start())
		nodes = append(nodes, n)
	}
	for _, n := range nodes {
		n.ready(t)
	}
	return nodes
}

// freeAddresses are of loopback.
func freeAddresses(t *testing.T, n int) []string {
	t.Helper()
	var all []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer func() { assert.NoError(t, l.Close()) }() // all at the end, so that they differ
		all = append(all, l.Addr().String())
	}
	return all
}

func (n *node) start() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	log := n.config + ".log"
	n.cmd = exec.Command(n.program, "-c", n.config, "-l", log)
	return n.cmd.Start()
}

func (n *node) kill() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cmd != nil && n.cmd.Process != nil {
		_ = n.cmd.Process.Kill() // it may have ended
		_ = n.cmd.Wait()         // killed
		n.cmd = nil
	}
}

// ready waits until the node has all that it had missed, which it tells only who asks.
func (n *node) ready(t testing.TB) {
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		answer, err := client.Get("http://" + n.monitor + "/healthz")
		if err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(deadline) {
			log, _ := os.ReadFile(n.config + ".log") // if there is one
			t.Fatalf("a node is not ready: %v\n%s", err, log[max(0, len(log)-4000):])
		}
	}
}
