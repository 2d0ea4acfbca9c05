package rest

import (
	"encoding/json"
	"net/url"
	"strconv"
	"time"
)

// params are the parameters of a query. Its methods add one unless the value is zero.
type params url.Values

func (p params) text(key, v string) {
	if v != "" {
		p[key] = []string{v}
	}
}

func (p params) flag(key string, v bool) {
	if v {
		p[key] = []string{"1"}
	}
}

func (p params) integer(key string, v int) {
	if v != 0 {
		p[key] = []string{strconv.Itoa(v)}
	}
}

func (p params) number(key string, v Opt[float64]) {
	if n, ok := v.Get(); ok {
		p[key] = []string{strconv.FormatFloat(n, 'f', -1, 64)}
	}
}

func (p params) time(key string, v time.Time) {
	if !v.IsZero() {
		p[key] = []string{v.UTC().Format("2006-01-02T15:04:05.000Z")}
	}
}

// filters adds a list as JSON.
func filters[T any](p params, key string, v []T) {
	if len(v) == 0 {
		return
	}
	if text, err := json.Marshal(v); err == nil { // they are of texts only, which can't fail
		p[key] = []string{string(text)}
	}
}
