package crisp

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestOnlyFreshAnswersOfCrispsShowItsClock(t *testing.T) {
	const date, body = "Sun, 22 Nov 2026 06:00:00 GMT", `{"error":false,"reason":"listed","data":[]}`
	for name, tt := range map[string]struct {
		header map[string]string
		body   string
		shows  bool
	}{
		"fresh":                     {map[string]string{"Date": date}, body, true},
		"past Crisp's cache":        {map[string]string{"Date": date, "Bloom-Status": "MISS"}, body, true},
		"of Crisp's cache":          {map[string]string{"Date": date, "Bloom-Status": "HIT"}, body, false},
		"of that, as Crisp is down": {map[string]string{"Date": date, "Bloom-Status": "OFFLINE"}, body, false},
		"of another cache":          {map[string]string{"Date": date, "Age": "3"}, body, false},
		"of a captive portal":       {map[string]string{"Date": date}, "<html>", false},
		"of a gateway in JSON":      {map[string]string{"Date": date}, `{"message":"Forbidden"}`, false},
		"of a proxy's empty object": {map[string]string{"Date": date}, "{}", false},
		"of half an answer":         {map[string]string{"Date": date}, body[:20], false},
		"without a date":            {nil, body, false},
		"of no date":                {map[string]string{"Date": "today"}, body, false},
	} {
		t.Run(name, func(t *testing.T) {
			a := &answer{header: make(http.Header), body: []byte(tt.body)}
			for key, value := range tt.header {
				a.header.Set(key, value)
			}
			at, ok := a.date()
			assert.Equal(t, tt.shows, ok)
			if tt.shows {
				assert.True(t, at.Equal(time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC)))
			}
		})
	}
}
