package natsbridge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// partitionsKey is the key of the log's metadata that has the number of its partitions.
const partitionsKey = "crisp-partitions"

// leastServer is the first server that resets consumers.
var leastServer = [2]int{2, 14}

// Setup makes in the server what is not there yet, and checks what is. It may be called
// by any number of processes at once, and again. A log that is there gets those settings
// that the engine was given. While no server answers, it tries again until ctx ends, and
// logs that ([WithLogger]).
//
// It is an error if the server is too old, if the log has another number of partitions, or
// if what has its name is somebody else's.
func (e *Engine) Setup(ctx context.Context) error { return e.persist(ctx, e.setup) }

func (e *Engine) setup(ctx context.Context) error {
	if err := checkServer(e.conn.ConnectedServerVersion()); err != nil {
		return err
	}
	log, err := e.ensure(ctx, e.logConfig())
	if err != nil {
		return err
	}
	partitions, err := e.checkLog(log.CachedInfo().Config)
	if err != nil {
		return err
	}
	if err := e.adjust(ctx, log.CachedInfo().Config); err != nil {
		return err
	}
	s := &stored{partitions: partitions}
	if s.letters, err = e.ensure(ctx, e.letterConfig()); err != nil {
		return err
	}
	if s.bucket, err = e.ensure(ctx, e.bucketConfig()); err != nil {
		return err
	}
	if s.members, err = e.js.KeyValue(ctx, e.cfg.bucket()); err != nil {
		return fmt.Errorf("natsbridge: opening the bucket %s: %w", e.cfg.bucket(), explain(err))
	}
	e.ready.Store(s)
	return nil
}

// checkServer returns an error for a server that is too old. What it can't read, it
// takes for new.
func checkServer(version string) error {
	var major, minor int
	if n, _ := fmt.Sscanf(version, "%d.%d", &major, &minor); n < 2 || slices.Compare([]int{major, minor}, leastServer[:]) >= 0 {
		return nil
	}
	return fmt.Errorf("natsbridge: the server has version %s: needs %d.%d or later", version, leastServer[0], leastServer[1])
}

func (e *Engine) logConfig() jetstream.StreamConfig {
	partitions, age := e.cfg.partitions, defaultMaxAge
	if partitions == 0 {
		partitions = defaultPartitions
	}
	if e.cfg.maxAge != nil {
		age = *e.cfg.maxAge
	}
	cfg := jetstream.StreamConfig{
		Name:        e.cfg.logStream(),
		Description: "Crisp's events",
		Subjects:    []string{e.cfg.logSubjects()},
		Storage:     jetstream.FileStorage,
		Retention:   jetstream.LimitsPolicy,
		Discard:     jetstream.DiscardOld,
		MaxAge:      age,
		MaxBytes:    -1,
		Duplicates:  windowWithin(age),
		Replicas:    e.replicas(),
		Metadata:    map[string]string{partitionsKey: strconv.Itoa(partitions)},
	}
	if e.cfg.maxBytes != nil {
		cfg.MaxBytes = orUnlimited(*e.cfg.maxBytes)
	}
	return cfg
}

func windowWithin(age time.Duration) time.Duration {
	if age == 0 {
		return duplicates
	}
	return min(duplicates, age)
}

func orUnlimited(n int64) int64 {
	if n == 0 {
		return -1
	}
	return n
}

func (e *Engine) letterConfig() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:        e.cfg.letterStream(),
		Description: "what could not be handled of Crisp's events",
		Subjects:    []string{e.cfg.letterPrefix() + ">"},
		Storage:     jetstream.FileStorage,
		Duplicates:  duplicates,
		Replicas:    e.replicas(),
	}
}

// bucketConfig is that of a bucket that is read from its leader only: what another server
// has may be old.
func (e *Engine) bucketConfig() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:                   e.cfg.bucketStream(),
		Description:            "leases, positions and members of the bridge",
		Subjects:               []string{e.cfg.bucketPrefix() + ">"},
		Storage:                jetstream.FileStorage,
		MaxMsgsPerSubject:      1,
		Discard:                jetstream.DiscardNew,
		DenyDelete:             true,
		AllowRollup:            true,
		AllowMsgTTL:            true,
		SubjectDeleteMarkerTTL: markerTTL,
		Replicas:               e.replicas(),
	}
}

func (e *Engine) replicas() int {
	switch {
	case e.cfg.replicas != 0:
		return e.cfg.replicas
	case e.conn.ConnectedClusterName() != "":
		return 3
	}
	return 1
}

// ensure returns the stream of a name, which it makes if it is not there.
func (e *Engine) ensure(ctx context.Context, cfg jetstream.StreamConfig) (jetstream.Stream, error) {
	stream, err := e.js.Stream(ctx, cfg.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		stream, err = e.js.CreateStream(ctx, cfg)
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // made by another process, with other settings
			stream, err = e.js.Stream(ctx, cfg.Name)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("natsbridge: making the stream %s with %d replicas: %w", cfg.Name, cfg.Replicas, explain(err))
	}
	if has := stream.CachedInfo().Config.Subjects; !slices.Equal(has, cfg.Subjects) {
		return nil, fmt.Errorf("natsbridge: the stream %s has the subjects %q instead of %q: it is somebody else's; choose another prefix (WithPrefix)",
			cfg.Name, has, cfg.Subjects)
	}
	return stream, nil
}

// checkLog returns the number of partitions of the log that is there.
func (e *Engine) checkLog(has jetstream.StreamConfig) (int, error) {
	n, err := strconv.Atoi(has.Metadata[partitionsKey])
	switch {
	case err != nil || n < 1 || n > mostPartitions:
		return 0, fmt.Errorf("natsbridge: the stream %s does not say how many partitions it has (metadata %s): it is somebody else's; choose another prefix (WithPrefix)",
			has.Name, partitionsKey)
	case e.cfg.partitions != 0 && e.cfg.partitions != n:
		return 0, fmt.Errorf("natsbridge: the stream %s has %d partitions, not %d: their number stays; leave WithPartitions(%d) away, or begin another log (WithPrefix)",
			has.Name, n, e.cfg.partitions, e.cfg.partitions)
	case has.Retention != jetstream.LimitsPolicy:
		return 0, fmt.Errorf("natsbridge: the stream %s drops what some group has handled: needs the retention policy %q", has.Name, "limits")
	}
	return n, nil
}

// adjust gives the log those settings that the engine was told.
func (e *Engine) adjust(ctx context.Context, has jetstream.StreamConfig) error {
	want := has
	if e.cfg.maxAge != nil {
		want.MaxAge = *e.cfg.maxAge
		want.Duplicates = windowWithin(*e.cfg.maxAge)
	}
	if e.cfg.maxBytes != nil {
		want.MaxBytes = orUnlimited(*e.cfg.maxBytes)
	}
	if e.cfg.replicas != 0 {
		want.Replicas = e.cfg.replicas
	}
	if want.MaxAge == has.MaxAge && want.Duplicates == has.Duplicates && want.MaxBytes == has.MaxBytes && want.Replicas == has.Replicas {
		return nil
	}
	if _, err := e.js.UpdateStream(ctx, want); err != nil {
		return fmt.Errorf("natsbridge: changing the settings of the stream %s: %w", has.Name, explain(err))
	}
	return nil
}
