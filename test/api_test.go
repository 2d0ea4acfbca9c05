package test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"time"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

// The shape of the public API, which programs are written against: a change
// here breaks them.
var (
	_ func(identifier, key string) crisp.Token            = crisp.PluginToken
	_ func(identifier, key string) crisp.Token            = crisp.UserToken
	_ func(websiteID, identifier, key string) crisp.Token = crisp.WebsiteToken
	_ slog.LogValuer                                      = crisp.Token{}

	_ func(crisp.Token, ...crisp.Option) (*crisp.Client, error)                          = crisp.New
	_ func(string) crisp.Option                                                          = crisp.WithBaseURL
	_ func(*http.Client) crisp.Option                                                    = crisp.WithHTTPClient
	_ func(string) crisp.Option                                                          = crisp.WithUserAgent
	_ func(*slog.Logger) crisp.Option                                                    = crisp.WithLogger
	_ func(*crisp.Client, context.Context) (*crisp.Endpoints, error)                     = (*crisp.Client).ConnectEndpoints
	_ func(c *crisp.Client, ctx context.Context, method, path string, in, out any) error = (*crisp.Client).Do
	_ func(*crisp.Client, *crisp.Router, ...crisp.RTMOption) (*crisp.RTM, error)         = (*crisp.Client).NewRTM
	_ func(name string, payload []byte) (crisp.Event, error)                             = crisp.Decode
	_ func() []crisp.EventInfo                                                           = crisp.Events
	_ func(...crisp.RouterOption) *crisp.Router                                          = crisp.NewRouter
	_ func(*crisp.Router, func(context.Context, *crisp.MessageSend) error)               = crisp.On
	_ func(*crisp.Router, func(context.Context, crisp.Event) error)                      = (*crisp.Router).OnAny
	_ func(*crisp.Router, string, func(context.Context, crisp.Event) error)              = (*crisp.Router).OnName
	_ func(*crisp.Router, ...func(crisp.Handler) crisp.Handler)                          = (*crisp.Router).Use
	_ func(*crisp.Router) []string                                                       = (*crisp.Router).EventNames
	_ func(*crisp.Router, context.Context, crisp.Event) error                            = (*crisp.Router).Dispatch
	_ func(func(context.Context, error)) crisp.RouterOption                              = crisp.WithErrorHandler
	_ func(*crisp.RTM, context.Context) error                                            = (*crisp.RTM).Run
	_ func(*crisp.RTM, context.Context) error                                            = (*crisp.RTM).Shutdown
	_ func(*crisp.RTM) error                                                             = (*crisp.RTM).Close
	_ func(*crisp.RTM, context.Context, crisp.Filter) error                              = (*crisp.RTM).Bind
	_ func(*crisp.RTM, context.Context) error                                            = (*crisp.RTM).Rebind
	_ func(*crisp.RTM) crisp.State                                                       = (*crisp.RTM).State
	_ func(crisp.Filter) crisp.RTMOption                                                 = crisp.WithFilter
	_ func(int) crisp.RTMOption                                                          = crisp.WithConcurrency
	_ func(maxBytes int, full crisp.Overflow) crisp.RTMOption                            = crisp.WithQueue
	_ func(crisp.Backoff) crisp.RTMOption                                                = crisp.WithBackoff
	_ func(int) crisp.RTMOption                                                          = crisp.WithEngineIO
	_ func(crisp.Hooks) crisp.RTMOption                                                  = crisp.WithHooks
	_ func(*crisp.Router, ...crisp.WebhookOption) (*crisp.Webhook, error)                = crisp.NewWebhook
	_ http.Handler                                                                       = (*crisp.Webhook)(nil)
	_ func(...string) crisp.WebhookOption                                                = crisp.WithSigningSecrets
	_ func(param string, secrets ...string) crisp.WebhookOption                          = crisp.WithURLSecrets
	_ func(time.Duration) crisp.WebhookOption                                            = crisp.WithTolerance
	_ func(int64) crisp.WebhookOption                                                    = crisp.WithMaxBody
	_ func(crisp.DedupeStore) crisp.WebhookOption                                        = crisp.WithDedupe
	_ func(time.Duration) crisp.HandlerOption                                            = crisp.WithHandlerTimeout
	_ func(time.Duration) crisp.HandlerOption                                            = crisp.WithSlowHandler
	_ crisp.RTMOption                                                                    = crisp.HandlerOption(nil)
	_ crisp.WebhookOption                                                                = crisp.HandlerOption(nil)
	_ func(*slog.Logger) crisp.WebhookOption                                             = crisp.WithHookLogger
	_ func(string, http.Header, []byte, ...crisp.WebhookOption) (crisp.Event, error)     = crisp.ParseHook
	_ func(*crisp.Router) []string                                                       = (*crisp.Router).Scopes
	_ func(*crisp.Router) []string                                                       = (*crisp.Router).HookNames
	_ func(*crisp.Router, func(context.Context, crisp.MessageEvent) error)               = crisp.OnMessage
	_ []crisp.MessageEvent                                                               = []crisp.MessageEvent{(*crisp.MessageSend)(nil), (*crisp.MessageReceived)(nil)}
	_ func(secret string, h http.Header, body []byte, tolerance time.Duration) error     = crisp.Verify
	_ func(secret string, at time.Time, body []byte) http.Header                         = crisp.Sign
	_ []error                                                                            = []error{crisp.ErrUnauthorized, crisp.ErrClosed, crisp.ErrSignature, crisp.ErrStale, crisp.ErrSilent, crisp.ErrTooLarge}
	_ func(...crisptest.Option) (*crisptest.Server, error)                               = crisptest.Start
	_ func(*crisptest.Server, crisp.Event)                                               = (*crisptest.Server).Emit
	_ func(*crisptest.Server, string, []byte)                                            = (*crisptest.Server).EmitRaw
	_ func(*crisptest.Server) crisp.Token                                                = (*crisptest.Server).Token
	_ func(*crisptest.Server, ...crisp.Option) *crisp.Client                             = (*crisptest.Server).Client
	_ func(*crisptest.Server) string                                                     = (*crisptest.Server).URL
	_ func(*crisptest.Server) []crisptest.Request                                        = (*crisptest.Server).Requests
	_ func(*crisptest.Server, context.Context) error                                     = (*crisptest.Server).WaitAuthenticated
	_ func(string) crisp.Event                                                           = crisptest.Sample

	_ = crisp.Meta{
		Source: crisp.SourceRTM, WebsiteID: "", Time: time.Time{},
		Delivery: &crisp.Delivery{Origin: "", Attempt: 1, Limit: 1},
		Raw:      json.RawMessage{}, Problems: []crisp.FieldProblem{},
	}
	_ = crisp.APIError{StatusCode: 0, Reason: "", Data: json.RawMessage{}, RetryAfter: 0}
	_ = crisp.HandlerError{Event: nil, Err: nil, Stack: nil}
	_ = crisp.EventInfo{Name: "", GoType: "", RTMOnly: false, Tiers: []crisp.Tier{}, Scope: ""}
	_ = []crisp.Content{
		crisp.TextContent(""), crisp.NoteContent(""), &crisp.FileContent{}, &crisp.AnimationContent{}, &crisp.AudioContent{},
		&crisp.PickerContent{}, &crisp.FieldContent{}, &crisp.CarouselContent{}, &crisp.EventContent{},
		&crisp.UnknownContent{Type: "", Raw: json.RawMessage{}},
	}
	_ = crisp.Gap{From: time.Time{}, To: time.Time{}, Reason: ""}
	_ = crisp.Filter{Events: nil, Rooms: nil, Inboxes: nil}
)
