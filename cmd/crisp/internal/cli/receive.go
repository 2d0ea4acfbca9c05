package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/crisp-go/crisp/cmd/crisp/internal/forward"
	"github.com/crisp-go/crisp/cmd/crisp/internal/receive"
)

// receiveFlags are the flags of crisp receive.
type receiveFlags struct {
	outputFlags
	incoming  signingFlags
	outgoing  signingFlags
	addr      string
	path      string
	tolerance time.Duration
	noVerify  bool
}

func (a *app) receiveCommand() *cobra.Command {
	var f receiveFlags
	cmd := &cobra.Command{
		Use:   "receive",
		Short: "Show real web hooks, and forward them",
		Long: `Take web hooks from Crisp, show them, and forward them to programs in development:
the same bytes, signed anew. To be reached by Crisp, the address has to be one of the Internet,
such as that of a tunnel.

Requests are answered as the library's Webhook answers them: 200, or 401 if they are not
authentic, 400, 405, 413 if they are no web hooks, 500 if the event could not be kept.
They are verified by the signing secret in CRISP_SIGNING_SECRET or --secret-file, or by
--url-secret for those of a website.

--ui shows all that on a page of this machine, whose URL is told on stderr.`,
		Example: `  crisp receive --addr 127.0.0.1:7701 --path /hooks --secret-file secret.txt
  crisp receive --secret-file plugin.txt -f http://127.0.0.1:8080/hooks --forward-secret-file local.txt
  crisp receive --url-secret key=url-secret.txt --capture today.jsonl`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(cmd.Flags()); err != nil {
				return err
			}
			return a.receive(cmd.Context(), f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.addr, "addr", "127.0.0.1:7701", "the `address` to listen on")
	flags.StringVar(&f.path, "path", "", "the only `path` to take web hooks on; without, any")
	flags.StringVar(&f.incoming.secretFile, "secret-file", "", "the `file` that holds the secret that Crisp signs with")
	flags.StringVar(&f.incoming.urlSecret, "url-secret", "", "the secret that is in the URL of a website's web hooks: PARAM=FILE")
	flags.DurationVar(&f.tolerance, "tolerance", 5*time.Minute, "how old, or how far ahead, a signature may be; 0 for any")
	flags.BoolVar(&f.noVerify, "insecure-no-verify", false, "take what anybody sends")
	flags.StringVar(&f.outgoing.secretFile, "forward-secret-file", "", "the `file` that holds the secret to sign with for targets; without, the same")
	flags.StringVar(&f.outgoing.urlSecret, "forward-url-secret", "", "add a secret to targets' URLs: PARAM=FILE")
	f.addTo(cmd)
	return cmd
}

func (a *app) receive(ctx context.Context, f receiveFlags) error {
	cfg, outgoing, err := f.config(a)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", f.addr)
	var unfit *net.AddrError
	switch {
	case errors.As(err, &unfit):
		return usageError(fmt.Errorf("--addr: %q is not an address such as 127.0.0.1:7701", f.addr))
	case err != nil:
		return coded{fmt.Errorf("--addr: %w", err), exitFailed}
	}
	var r *run
	r, err = f.begin(ctx, a, "receive", outgoing, false, func() { r.end(errEnough) })
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	server, err := receive.New(cfg, r.stream)
	if err != nil {
		return errors.Join(usageError(err), r.finish(nil), listener.Close())
	}
	url := "http://" + listener.Addr().String() + f.path
	r.ready(f.readyFile, url, "waiting for web hooks at "+url)
	return r.finish(server.Serve(r.ctx, listener))
}

// config returns how to accept web hooks, and what to sign with for targets.
func (f *receiveFlags) config(a *app) (cfg receive.Config, outgoing forward.Signing, err error) {
	cfg = receive.Config{Path: f.path, Tolerance: f.tolerance, NoVerify: f.noVerify}
	switch {
	case f.path != "" && !strings.HasPrefix(f.path, "/"):
		return cfg, outgoing, usageError(fmt.Errorf("--path is %q; it must begin with /", f.path))
	case f.tolerance < 0:
		return cfg, outgoing, usageError(fmt.Errorf("--tolerance is %s; it can't be negative", f.tolerance))
	case f.noVerify && (f.incoming != signingFlags{}):
		return cfg, outgoing, usageError(errors.New("--insecure-no-verify verifies nothing: leave out --secret-file and --url-secret, or it"))
	}
	if !f.noVerify {
		if cfg.Signing, err = f.incoming.read(a, "secret-file", "url-secret"); err != nil {
			return cfg, outgoing, fmt.Errorf("%w; --insecure-no-verify takes what anybody sends", err)
		}
	}
	switch {
	case len(f.targets) == 0 && f.ui == "":
		return cfg, outgoing, nil
	case f.outgoing == signingFlags{} && !f.noVerify:
		return cfg, cfg.Signing, nil
	case f.outgoing == signingFlags{} && len(f.targets) == 0: // the page needs no secret
		outgoing.Secret = a.Getenv("CRISP_SIGNING_SECRET")
		return cfg, outgoing, nil
	}
	outgoing, err = f.outgoing.read(a, "forward-secret-file", "forward-url-secret")
	return cfg, outgoing, err
}
