package crisp_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/crisp-go/crisp"
)

func ExampleRetry() {
	router := crisp.NewRouter()
	router.Use(crisp.Retry(crisp.RetryPolicy{
		Attempts: 3,
		Backoff:  crisp.ExponentialBackoff{Base: time.Millisecond},
		Retrying: func(_ context.Context, _ crisp.Event, err error, _ time.Duration) { fmt.Println("again, because", err) },
		DeadLetter: func(_ context.Context, ev crisp.Event, _ error) error {
			fmt.Println("not handled:", ev.EventName(), ev.(*crisp.MessageSend).SessionID)
			return nil
		},
	}))
	crisp.On(router, func(context.Context, *crisp.MessageSend) error { return errors.New("database is locked") })

	dispatch(router, fromVisitor("Hello"))
	// Output:
	// again, because crisp: a handler of message:send failed: database is locked
	// again, because crisp: a handler of message:send failed: database is locked
	// not handled: message:send session_1
}
