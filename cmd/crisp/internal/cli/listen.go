package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/cmd/crisp/internal/eventinfo"
	"github.com/crisp-go/crisp/cmd/crisp/internal/forward"
	"github.com/crisp-go/crisp/cmd/crisp/internal/listen"
)

// listenFlags are the flags of crisp listen.
type listenFlags struct {
	outputFlags
	signingFlags
	events   []string
	websites []string
	inboxes  []string
	backfill bool
	position string
}

func (a *app) listenCommand() *cobra.Command {
	var f listenFlags
	cmd := &cobra.Command{
		Use:   "listen",
		Short: "Show live events, and forward them as signed web hooks",
		Long: `Show events as they happen, by the RTM API, and forward them to programs in
development as the web hooks that Crisp would send: signed, attempted again, and those of a
conversation in order.

Events and deliveries are written to stdout. Connections, gaps and losses are told on
stderr, and with --format json also on stdout. No event is taken away from another
program, but the connection counts towards Crisp's limit.

Targets know the web hooks by the signing secret in CRISP_SIGNING_SECRET or
--secret-file, or by a secret in the URL (--url-secret), as those of a website.

--exec runs a command by the shell for each event, with the body of the web hook on
its stdin and the event's name in CRISP_EVENT: one conversation's one after the other.
What it writes is told on stderr.

--ui shows all that on a page of this machine, on which events can be changed and sent
again, signed anew. Its URL is told on stderr; it is for you alone.`,
		Example: `  crisp listen -e 'message:*'
  crisp listen -f http://127.0.0.1:8080/hooks --secret-file secret.txt
  crisp listen --format json --jq 'select(.event == "message:send") | .data.content'
  crisp listen --capture today.jsonl --redact --for 1h
  crisp listen --ui
  crisp listen -e message:send --exec 'jq -r .data.content >> said.txt'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(cmd.Flags()); err != nil {
				return err
			}
			return a.listen(cmd.Context(), f)
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVarP(&f.events, "event", "e", nil, "a `pattern` of names of events, such as message:*, repeatable; without, all")
	flags.StringSliceVar(&f.websites, "website", nil, "the `ID` of a website to listen to, repeatable ($CRISP_WEBSITE_ID; without, all)")
	flags.StringSliceVar(&f.inboxes, "inbox", nil, "the `ID` of an inbox to listen to, repeatable; without, all")
	flags.BoolVar(&f.backfill, "backfill", false, "fetch messages that were missed, by the REST API")
	flags.StringVar(&f.position, "position", "", "a `file` that keeps how far this got, so that a later run knows what it missed")
	flags.BoolVar(&f.rtmOnly, "rtm-only", false, "forward also the events that Crisp sends by no web hook")
	flags.StringVar(&f.secretFile, "secret-file", "", "the `file` that holds the secret to sign with")
	flags.StringVar(&f.urlSecret, "url-secret", "", "add a secret to targets' URLs: PARAM=FILE")
	f.addTo(cmd)
	a.completeEvents(cmd, "event")
	return cmd
}

func (a *app) listen(ctx context.Context, f listenFlags) error {
	var signing forward.Signing
	if len(f.targets) > 0 || f.ui != "" && f.signingFlags != (signingFlags{}) {
		var err error
		if signing, err = f.read(a, "secret-file", "url-secret"); err != nil {
			return err
		}
	}
	client, found, err := a.client(crisp.WithLogger(slog.New(slog.DiscardHandler))) // the stream reports it all
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	if f.ui != "" && signing == (forward.Signing{}) { // the page needs no secret
		signing.Secret = cmp.Or(a.Getenv("CRISP_SIGNING_SECRET"), found.SigningSecret)
	}
	cfg, err := f.config(client.Tier(), found.WebsiteID)
	if err != nil {
		return err
	}
	var listener *listen.Listener
	r, err := f.begin(ctx, a, "listen", signing, f.position != "", func() { listener.Stop() })
	if err != nil {
		return err
	}
	cfg.Ready = func(endpoint string) { r.ready(f.readyFile, endpoint, subscribed(cfg.Filter, client.Tier())) }
	if listener, err = listen.New(client, cfg, r.stream); err != nil {
		return errors.Join(usageError(err), r.finish(nil))
	}
	err = listener.Run(r.ctx)
	if ctx.Err() != nil && errors.Is(err, listen.ErrNeverConnected) {
		err = nil // the user ended it before it had connected
	}
	return listenError(r.finish(err))
}

// listenError gives an error of the RTM client its exit code.
func listenError(err error) error {
	switch {
	case errors.Is(err, listen.ErrNeverConnected):
		return coded{err, exitUnreachable}
	case errors.Is(err, crisp.ErrScope), errors.Is(err, crisp.ErrRoom):
		return coded{err, exitCredentials}
	default:
		return err
	}
}

func (f *listenFlags) config(tier crisp.Tier, websiteID string) (cfg listen.Config, err error) {
	globs := f.events
	if len(globs) == 0 {
		globs = []string{"*"}
	}
	if cfg.Filter.Events, err = eventinfo.ForTier(globs, string(tier)); err != nil {
		return cfg, usageError(fmt.Errorf("--event: %w", err))
	}
	cfg.Filter.Rooms, cfg.Filter.Inboxes = f.websites, f.inboxes
	if len(f.websites) == 0 && websiteID != "" {
		cfg.Filter.Rooms = []string{websiteID}
	}
	cfg.Concurrency = 1 // events are shown in the order in which they come
	if f.position != "" {
		cfg.Concurrency = f.concurrency
		cfg.Options = append(cfg.Options, crisp.WithPosition(crisp.FilePosition(f.position)))
	}
	if f.backfill {
		cfg.Options = append(cfg.Options, crisp.WithBackfill(crisp.Backfill{}))
	}
	return cfg, nil
}

// subscribed describes what is listened to, for people.
func subscribed(filter crisp.Filter, tier crisp.Tier) string {
	of := "all websites of the " + string(tier) + " token"
	switch len(filter.Rooms) {
	case 0:
	case 1:
		of = "website " + filter.Rooms[0]
	default:
		of = fmt.Sprintf("%d websites", len(filter.Rooms))
	}
	what := fmt.Sprintf("%d kinds of events", len(filter.Events))
	if len(filter.Events) == 1 {
		what = filter.Events[0]
	}
	return fmt.Sprintf("listening to %s of %s", what, of)
}
