package daemon

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/bridge"
)

// againAfter is how long the RTM API is left alone after it has ended with an error.
const againAfter = 30 * time.Second

// receive receives over the RTM API whenever this process leads, until ctx ends, or
// Crisp has refused for good and there is nothing else to do.
func (d *Daemon) receive(ctx context.Context) error {
	for {
		err := crisp.Lead(ctx, d.lease, d.config.RTM.LeaseTTL.Std(), d.stream)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // it was asked to end
		}
		if refused(err) && d.hook == nil {
			return err
		}
		d.logger.Error("the RTM API has ended; it is tried again", "in", againAfter, "error", err)
		d.rtmEnded.Store(&err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(againAfter):
		}
		d.rtmEnded.Store(nil)
	}
}

// refused reports whether Crisp would say the same to the next attempt.
func refused(err error) bool {
	for _, final := range []error{crisp.ErrUnauthorized, crisp.ErrScope, crisp.ErrRoom, crisp.ErrInsecure} {
		if errors.Is(err, final) {
			return true
		}
	}
	return false
}

// stream receives over the RTM API until ctx ends.
func (d *Daemon) stream(ctx context.Context) error {
	opts := append([]crisp.Option{crisp.WithLogger(d.logger)}, d.clientOptions...)
	if d.config.Crisp.BaseURL != "" {
		opts = append(opts, crisp.WithBaseURL(d.config.Crisp.BaseURL))
	}
	client, err := crisp.New(d.config.Token(), opts...)
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	router := crisp.NewRouter()
	intake := bridge.Publish(router, d.publisher)
	rtm, err := client.NewRTM(router, append(d.rtmOptions(), crisp.WithHooks(intake.Hooks(ctx)))...)
	if err != nil {
		return err
	}
	d.rtm.Store(rtm)
	defer func() {
		d.rtm.Store(nil)
		d.metrics.RTMEnded()
	}()
	return rtm.Run(ctx)
}

func (d *Daemon) rtmOptions() []crisp.RTMOption {
	c := d.config.RTM
	opts := []crisp.RTMOption{
		crisp.WithConcurrency(c.Concurrency),
		crisp.WithPosition(d.engine.Position(c.Name)),
		crisp.WithFilter(crisp.Filter{Events: c.Events, Rooms: d.config.Rooms()}),
		crisp.WithHooks(d.metrics.Hooks(d.logHooks())),
		// A lease that is lost leaves a fifth of it until another process begins.
		crisp.WithDrainTimeout(c.LeaseTTL.Std() * 3 / 20),
		crisp.WithAutoRebind(),
	}
	if c.Backfill {
		opts = append(opts, crisp.WithBackfill(crisp.Backfill{MaxAge: c.BackfillMaxAge.Std()}))
	}
	return opts
}

// logHooks tell what happens to the connection.
func (d *Daemon) logHooks() crisp.Hooks {
	return crisp.Hooks{
		Gap: func(g crisp.Gap) {
			d.logger.Warn("events may have been missed", "from", g.From, "to", g.To, "reason", string(g.Reason))
		},
		Backfilled: func(b crisp.Backfilled) {
			level := slog.LevelInfo
			attrs := []any{"complete", b.Complete, "messages", b.Messages, "conversations", b.Conversations, "requests", b.Requests}
			if b.Err != nil {
				level, attrs = slog.LevelWarn, append(attrs, "error", b.Err)
			}
			d.logger.Log(context.Background(), level, "what was missed has been fetched", attrs...)
		},
		Dropped: func(n crisp.Dropped) {
			d.logger.Warn("events were received and not stored", "count", n.Count, "error", n.Err)
		},
	}
}

func (d *Daemon) roleChanged(role Role) {
	d.metrics.SetLeader(role == RoleLeader)
	d.logger.Info("the role of this process has changed", "role", string(role), "name", d.config.RTM.Name)
}

// newHook makes what receives web hooks.
func (d *Daemon) newHook() (*crisp.Webhook, error) {
	router := crisp.NewRouter()
	bridge.Publish(router, d.publisher, bridge.WithHookPatience(d.config.Hooks.Timeout.Std()))
	opts := []crisp.WebhookOption{crisp.WithHookLogger(d.logger)}
	if secret := d.config.Secrets.SigningSecret; secret != "" {
		opts = append(opts, crisp.WithSigningSecrets(secret))
	}
	if secret := d.config.Secrets.URLSecret; secret != "" {
		opts = append(opts, crisp.WithURLSecrets(d.config.Hooks.URLParam, secret))
	}
	return crisp.NewWebhook(router, opts...)
}
