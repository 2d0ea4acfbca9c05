//go:build !race

package crisp_test

import (
	"context"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
)

// An authentic hook of 1 MiB that is made to cost as much as possible: all lists
// and objects together are bounded, what is left out is told, and Raw has it all.
func TestHostileHooksCostLittle(t *testing.T) {
	fill := func(before, element, after string) string {
		return before + strings.Repeat(element+",", (1<<20-len(before)-len(after)-200)/(len(element)+1)) + element + after
	}
	for name, data := range map[string]struct{ event, payload string }{
		"choices":      {"message:send", fill(`{"type":"picker","content":{"choices":[`, `{}`, `]}}`)},
		"targets":      {"message:send", fill(`{"type":"carousel","content":{"targets":[`, `{}`, `]}}`)},
		"actions":      {"message:send", fill(`{"type":"carousel","content":{"targets":[`, `{"actions":[{}]}`, `]}}`)},
		"updated":      {"message:updated", fill(`{"content":{"choices":[`, `{}`, `]}}`)},
		"previews":     {"message:received", fill(`{"preview":[`, `{}`, `]}`)},
		"references":   {"message:received", fill(`{"references":[`, `{}`, `]}`)},
		"properties":   {"message:send", fill(`{"properties":{"a":[`, `{}`, `]}}`)},
		"mentions":     {"message:send", fill(`{"mentions":[`, `""`, `]}`)},
		"routing":      {"session:removed", fill(`{"routing_ids":[`, `""`, `]}`)},
		"pages":        {"session:sync:pages", fill(`{"pages":[`, `{}`, `]}`)},
		"events":       {"session:sync:events", fill(`{"events":[`, `{"data":{"":0}}`, `]}`)},
		"segments":     {"session:set_segments", fill(`{"segments":[`, `""`, `]}`)},
		"imports":      {"people:import:progress", fill(`{"items":{"skipped":[`, `{}`, `]}}`)},
		"participants": {"session:set_participants", fill(`{"participants":[`, `{}`, `]}`)},
		"drift":        {"session:sync:pages", fill(`{"pages":[`, `{"page_url":0}`, `]}`)},
		"times":        {"a:b", fill(`{`, `"timestamp":1`, `}`)},
	} {
		t.Run(name, func(t *testing.T) {
			body := []byte(`{"website_id":"w","event":"` + data.event + `","data":` + data.payload + `,"timestamp":1}`)
			require.LessOrEqual(t, len(body), 1<<20)
			var problems []crisp.FieldProblem
			var raw int
			router := crisp.NewRouter(crisp.WithErrorHandler(func(context.Context, error) {}))
			router.OnAny(func(_ context.Context, ev crisp.Event) error {
				problems, raw = ev.EventMeta().Problems, len(ev.EventMeta().Raw)
				return nil
			})
			hook, err := crisp.NewWebhook(router, crisp.WithSigningSecrets(signingSecret))
			require.NoError(t, err)
			r := hookRequest(body)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			hook.ServeHTTP(httptest.NewRecorder(), r)
			runtime.ReadMemStats(&after)
			cost := float64(after.TotalAlloc-before.TotalAlloc) / float64(len(body))
			assert.LessOrEqual(t, cost, 12.0, "bytes for each byte")
			assert.Equal(t, len(data.payload), raw)
			assert.LessOrEqual(t, len(problems), 100)
			if name != "times" && name != "actions" { // which are cheap enough
				assert.NotEmpty(t, problems)
			}
		})
	}
}
