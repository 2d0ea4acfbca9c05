package rest

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/crisp-go/crisp"
)

// place is what all calls of a service have in common.
type place struct {
	client *crisp.Client
	ids    []string // the first identifiers of each path
}

// call is a REST call that is about to be made.
type call struct {
	at     *place
	method string
	path   string // escaped; in a list, the number of the page is still {page}
	query  url.Values
	body   any   // nil = none
	err    error // why the call can't be made; nil if it can
}

// call prepares a call. The identifiers of the service, and then args, replace the names in braces
// in the template of the path. Its tiers are those of the tokens that may make the call.
func (p *place) call(method string, allowed tiers, template string, args ...string) call {
	c := call{at: p, method: method}
	if !allowed.has(p.client.Tier()) {
		c.err = &TierError{Method: method, Route: template, Tier: p.client.Tier(), Tiers: allowed.list()}
		return c
	}
	args = append(p.ids[:len(p.ids):len(p.ids)], args...)
	c.path, c.err = fill(template, args)
	return c
}

// fill replaces the names in braces in a template by values, escaped. Names for which there is no
// value, such as {page}, stay.
func fill(template string, values []string) (string, error) {
	var path strings.Builder
	for rest := template; ; {
		before, after, found := strings.Cut(rest, "{")
		if !found || len(values) == 0 {
			path.WriteString(rest)
			return path.String(), nil
		}
		name, after, _ := strings.Cut(after, "}")
		if values[0] == "" {
			return "", &crisp.InvalidError{Field: name, Reason: "missing"}
		}
		for _, element := range strings.Split(values[0], "/") { // some servers unescape slashes first
			if element == "." || element == ".." {
				return "", &crisp.InvalidError{Field: name, Reason: "dots, which would lead to another route"}
			}
		}
		path.WriteString(before)
		path.WriteString(url.PathEscape(values[0]))
		rest, values = after, values[1:]
	}
}

// number returns an integer as an element of a path; "", which counts as missing, unless it is
// positive.
func number(n int64) string {
	if n <= 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// needs refuses the call if a parameter is missing that the route requires.
func (c call) needs(query params, key string) call {
	if c.err == nil && query[key] == nil {
		c.err = &crisp.InvalidError{Field: key, Reason: "missing"}
	}
	return c
}

// with returns the call with a query.
func (c call) with(query params) call {
	c.query = url.Values(query)
	return c
}

// send returns the call with a body.
func (c call) send(body any) call {
	c.body = body
	return c
}

// page is the call for a page of a list.
func (c call) page(n int) call {
	c.path = strings.Replace(c.path, "{page}", strconv.Itoa(n), 1)
	return c
}

// answer makes the call, and decodes the data of the answer into out, unless that is nil.
func (c call) answer(ctx context.Context, out any) error {
	if c.err != nil {
		return c.err
	}
	path := c.path
	if len(c.query) > 0 {
		path += "?" + c.query.Encode()
	}
	return c.at.client.Do(ctx, c.method, path, c.body, out)
}

// do makes a call whose answer has no useful data.
func (c call) do(ctx context.Context) error { return c.answer(ctx, nil) }

// exists makes a call whose answer is its status: false for 404.
func (c call) exists(ctx context.Context) (bool, error) {
	err := c.do(ctx)
	var refusal *crisp.APIError
	if errors.As(err, &refusal) && refusal.StatusCode == http.StatusNotFound {
		return false, nil
	}
	return err == nil, err
}

// raw makes a call, and returns the data of the answer as they are.
func (c call) raw(ctx context.Context) (json.RawMessage, error) {
	var data json.RawMessage
	err := c.answer(ctx, &data)
	return data, err
}

// unusable is the error of an answer that is of no use.
func (c call) unusable(why string) error {
	return &crisp.AnswerError{Method: c.method, Route: c.path, StatusCode: http.StatusOK, Err: errors.New(why)}
}
