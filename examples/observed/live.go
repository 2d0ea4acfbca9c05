package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"

	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crispotel"
)

// live answers the visitors of the real Crisp until ctx ends. Spans are written to out, one a line. Metrics and health are
// served inside, web hooks outside.
func live(ctx context.Context, inside, outside net.Listener, out io.Writer) (err error) {
	spans, err := stdouttrace.New(stdouttrace.WithWriter(out))
	if err != nil {
		return err
	}
	t, err := newTelemetry(spans)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.shutdown(context.WithoutCancel(ctx))) }()
	client, err := crisp.NewFromEnv(crisp.WithHTTPClient(&http.Client{Transport: crispotel.Transport(nil, t.options()...)}))
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	var secrets []string
	if secret := os.Getenv("CRISP_SIGNING_SECRET"); secret != "" {
		secrets = append(secrets, secret)
	}
	p, err := newProgram(client, t, secrets...)
	if err != nil {
		return err
	}
	return p.run(ctx, inside, outside)
}
