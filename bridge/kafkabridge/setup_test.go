package kafkabridge

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

func TestNewRefusesNonsense(t *testing.T) {
	_, err := New(nil)
	assert.ErrorContains(t, err, "needs the address")
	for says, option := range map[string]Option{
		`WithPrefix("")`:       WithPrefix(""),
		`WithPrefix("a b")`:    WithPrefix("a b"),
		`WithPrefix("a.")`:     WithPrefix("a."),
		"WithPartitions(0)":    WithPartitions(0),
		"WithPartitions(1000)": WithPartitions(1000),
		"WithReplicas(0)":      WithReplicas(0),
		"WithMaxAge(1s)":       WithMaxAge(time.Second),
		"WithMemberTTL(0s)":    WithMemberTTL(0),
		"WithHandover(0s)":     WithHandover(0),
		"WithLogger(nil)":      WithLogger(nil),
	} {
		_, err := New([]string{"127.0.0.1:1"}, option)
		assert.ErrorContains(t, err, "kafkabridge: "+says)
	}
	_, err = New([]string{"127.0.0.1:1"}, WithClient(kgo.FetchMaxWait(-1)))
	assert.ErrorContains(t, err, "kafkabridge: making a client")
}

func TestBeforeSetupAndAfterClose(t *testing.T) {
	e, err := New([]string{"127.0.0.1:1"}, WithLogger(quiet()))
	require.NoError(t, err)
	check := func(says string) {
		c, err := e.Consumer("group")
		require.NoError(t, err)
		letters, err := e.DeadLetters("group")
		require.NoError(t, err)
		assert.Zero(t, e.Partitions())
		assert.ErrorContains(t, e.Publisher().Publish(t.Context(), text("a", 0)), says)
		assert.ErrorContains(t, c.Consume(t.Context(), nil), says)
		_, err = letters.List(t.Context(), 0, 0)
		assert.ErrorContains(t, err, says)
		_, err = e.Position("rtm").Load(t.Context())
		assert.ErrorContains(t, err, says)
		_, err = e.Lease("rtm").Acquire(t.Context(), "one", time.Minute)
		assert.ErrorContains(t, err, says)
	}
	check("call Setup first")
	e.Close()
	check("the engine is closed")
	assert.ErrorContains(t, e.Setup(t.Context()), "the engine is closed")
	e.Close()
}

func TestGroupNames(t *testing.T) {
	e, err := New([]string{"127.0.0.1:1"})
	require.NoError(t, err)
	defer e.Close()
	for _, group := range []string{"", strings.Repeat("x", 129), strings.Repeat(" ", 43)} {
		_, err := e.Consumer(group)
		assert.ErrorContains(t, err, "the group")
		_, err = e.DeadLetters(group)
		assert.ErrorContains(t, err, "the group")
	}
}

// Whatever there is in a text, it makes a part of a topic's name, and another than any
// other text.
func FuzzEscape(f *testing.F) {
	for _, seed := range []string{"", "support-bot", "a.b", "a b", ".20", "ü", "\x00"} {
		f.Add(seed, seed+"x")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		assert.Regexp(t, `^[A-Za-z0-9._-]*$`, escape(a))
		assert.Equal(t, a == b, escape(a) == escape(b))
	})
}

func TestSetup(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(3))
	require.NoError(t, err)
	defer cluster.Close()
	i := &instance{cluster: cluster, partitions: 5}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() { i.Connect(t) })
	}
	all.Wait()
	log := cluster.TopicInfo("crisp.v1")
	require.NotNil(t, log)
	for topic, want := range map[string]map[string]string{
		"crisp.v1":        {"cleanup.policy": "delete", "retention.ms": "604800000", "min.insync.replicas": "2"},
		"crisp.leases":    {"cleanup.policy": "compact", "min.insync.replicas": "2"},
		"crisp.positions": {"cleanup.policy": "compact", "min.insync.replicas": "2"},
	} {
		for key, value := range want {
			assert.Equal(t, value, *cluster.TopicInfo(topic).Configs[key], "%s of %s", key, topic)
		}
	}
	// A process that may not make topics finds them there.
	cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.CreateTopics}, Err: kerr.TopicAuthorizationFailed, Count: -1})
	p, err := i.engine(t)
	require.NoError(t, err)
	assert.Equal(t, 5, p.Partitions())
	_, err = i.engine(t, WithPrefix("another"))
	assert.ErrorIs(t, err, kerr.TopicAuthorizationFailed)
}

func TestSetupRefusesWhatIsSomebodyElses(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, "crisp.leases"), kfake.SeedTopics(300, "many.v1"))
	require.NoError(t, err)
	defer cluster.Close()
	i := &instance{cluster: cluster}
	_, err = i.engine(t)
	assert.ErrorContains(t, err, "crisp.leases has 3 partitions: needs 1")
	_, err = i.engine(t, WithPrefix("many"))
	assert.ErrorContains(t, err, "many.v1 has 300 partitions")
}

// TLS and SASL are options of the client.
func TestTLSAndSASL(t *testing.T) {
	server := httptest.NewUnstartedServer(nil) // for its certificate
	server.StartTLS()
	defer server.Close()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.TLS(&tls.Config{Certificates: server.TLS.Certificates, MinVersion: tls.VersionTLS12}),
		kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-256", "bridge", "secret"))
	require.NoError(t, err)
	defer cluster.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	setup := func(password string) error {
		user := scram.Auth{User: "bridge", Pass: password}
		e, err := New(cluster.ListenAddrs(), WithClient(
			kgo.DialTLSConfig(&tls.Config{RootCAs: roots, ServerName: "example.com", MinVersion: tls.VersionTLS12}),
			kgo.SASL(user.AsSha256Mechanism())))
		require.NoError(t, err)
		defer e.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := e.Setup(ctx); err != nil {
			return err
		}
		return e.Publisher().Publish(ctx, text("a", 0))
	}
	assert.NoError(t, setup("secret"))
	assert.ErrorContains(t, setup("another"), "kafkabridge: no broker of")
}
