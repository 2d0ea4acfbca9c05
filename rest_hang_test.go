package crisp_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestACallWithoutAnswerSaysHowLong(t *testing.T) {
	hangs := func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	fails := httpmock.NewErrorResponder(errors.New("connection reset"))
	for name, tt := range map[string]struct {
		responders []httpmock.Responder
		says       string
	}{
		"at once":        {[]httpmock.Responder{hangs}, "crisp: GET a: no answer within 30s (sent once): context deadline exceeded"},
		"after failures": {[]httpmock.Responder{fails, fails, hangs}, "crisp: GET a: no answer within 30s (sent 3 times): context deadline exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, _ := scripted(t, nil, tt.responders...)
				err := client.Do(context.Background(), "GET", "a", nil, nil)
				require.ErrorIs(t, err, context.DeadlineExceeded)
				assert.EqualError(t, err, tt.says)
			})
		})
	}
	t.Run("but the caller's deadline is the caller's", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			client, _ := scripted(t, nil, hangs)
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			assert.EqualError(t, client.Do(ctx, "GET", "a", nil, nil), "crisp: GET a: context deadline exceeded")
		})
	})
}
