package crispotel

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"strconv"
	"sync"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/bridge"
)

// Values of error.type that are no error's.
const (
	typePanic  = "panic"
	typeGoexit = "goexit"
	// typePanicked is either, of what was called and did not return.
	typePanicked = "panicked"
)

// classes are the errors that have a name of their own, the first that matches.
var classes = []struct {
	err  error
	name string
}{
	{crisp.ErrUnauthorized, "unauthorized"},
	{crisp.ErrScope, "scope"},
	{crisp.ErrQuota, "quota"},
	{crisp.ErrRateLimited, "rate_limited"},
	{crisp.ErrReplyLimit, "reply_limit"},
	{crisp.ErrPaused, "paused"},
	{crisp.ErrSuperseded, "superseded"},
	{crisp.ErrClaimLost, "claim_lost"},
	{crisp.ErrLeaseLost, "lease_lost"},
	{crisp.ErrClosed, "closed"},
	{crisp.ErrTooLarge, "too_large"},
	{bridge.ErrRevoked, "revoked"},
	{context.DeadlineExceeded, "timeout"},
	{context.Canceled, "canceled"},
}

// maxErrorTypes bounds how many types of errors have names; the rest is "_OTHER".
const maxErrorTypes = 100

// errorTypes name errors by few values, which are never what an error says.
type errorTypes struct {
	mu    sync.Mutex // guards known
	known map[string]struct{}
}

func newErrorTypes() *errorTypes { return &errorTypes{known: make(map[string]struct{})} }

// of returns the name of an error, and nothing for nil.
func (e *errorTypes) of(err error) string {
	if err == nil {
		return ""
	}
	name := errorClass(err)
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, ok := e.known[name]; !ok {
		if len(e.known) >= maxErrorTypes {
			return other
		}
		e.known[name] = struct{}{}
	}
	return name
}

// errorClass returns the name of an error's class, or else of its type. It calls the error's methods, and those of nil
// pointers panic.
func errorClass(err error) (name string) {
	defer func() {
		if recover() != nil {
			name = typeName(err)
		}
	}()
	if failed := (*crisp.HandlerError)(nil); errors.As(err, &failed) && failed.Stack != nil {
		return typePanic
	}
	for _, class := range classes {
		if errors.Is(err, class.err) {
			return class.name
		}
	}
	if network := (interface{ Timeout() bool })(nil); errors.As(err, &network) && network.Timeout() {
		return "timeout"
	}
	if refusal := (*crisp.APIError)(nil); errors.As(err, &refusal) && http.StatusText(refusal.StatusCode) != "" {
		return "rest_" + strconv.Itoa(refusal.StatusCode)
	}
	if large := (*bridge.TooLargeError)(nil); errors.As(err, &large) {
		return "too_large"
	}
	return typeName(unwrapped(err))
}

// unwrapped returns the error within those that only add words, of several the first.
func unwrapped(err error) error {
	for {
		var inner error
		switch e := err.(type) { //nolint:errorlint // each layer is looked at by itself
		case *crisp.HandlerError:
			inner = e.Err
		case interface{ Unwrap() []error }:
			if all := e.Unwrap(); len(all) > 0 {
				inner = all[0]
			}
		case interface{ Unwrap() error }:
			if typeName(err) == wrapper {
				inner = e.Unwrap()
			}
		}
		if inner == nil {
			return err
		}
		err = inner
	}
}

// wrapper is the type of the errors that fmt.Errorf makes of another.
const wrapper = "*fmt.wrapError"

// maxTypeName bounds a type's name, in bytes: types with parameters can have long ones.
const maxTypeName = 100

func typeName(err error) string {
	name := reflect.TypeOf(err).String()
	if len(name) > maxTypeName {
		return other
	}
	return name
}
