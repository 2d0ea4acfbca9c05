package crisp_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
)

// TestEndpointsThatCrispMayNotName has an API that is not on this machine name
// endpoints that could only be an attack, or a mistake.
func TestEndpointsThatCrispMayNotName(t *testing.T) {
	for app, test := range map[string]struct {
		says     string
		insecure bool
	}{
		"http://127.0.0.1:8080/hunter2/":                     {"127.0.0.1:8080 is this machine, but the base URL is not on loopback", true},
		"ws://localhost/hunter2/":                            {"localhost is this machine", true},
		"https://127.0.0.1/hunter2/":                         {"127.0.0.1 is this machine", false},
		"wss://[::1]:444/hunter2/":                           {"[::1]:444 is this machine", false},
		"https://user:hunter2@rtm.example/":                  {"the URL of host rtm.example has credentials in it", false},
		"wss://hunter2@rtm.example/":                         {"the URL of host rtm.example has credentials in it", false},
		"http://user:hunter2@127.0.0.1/":                     {"has credentials in it", false},
		"http://rtm.example/hunter2/?hunter2":                {crisp.ErrInsecure.Error() + ": http://rtm.example", true},
		"https://" + strings.Repeat("a", 1<<20) + "/hunter2": {"a host name of 1048576 bytes", false},
		"ftp://" + strings.Repeat("a", 200) + "/hunter2":     {`has the scheme "ftp", not https`, false},
		"https://rtm.example:hunter2/":                       {"not an absolute URL", false},
	} {
		t.Run(app[:min(len(app), 40)], func(t *testing.T) {
			var out bytes.Buffer
			client, mock := mockedClient(t, crisp.WithLogger(slog.New(slog.NewTextHandler(&out, nil))))
			mock.RegisterNoResponder(answer(200, fmt.Sprintf(`{"error":false,"data":{"socket":{"app":%q}}}`, app)))
			_, err := client.ConnectEndpoints(t.Context())
			var unusable *crisp.AnswerError
			require.ErrorAs(t, err, &unusable)
			assert.ErrorContains(t, err, test.says)
			assert.Equal(t, test.insecure, errors.Is(err, crisp.ErrInsecure))
			assert.NotContains(t, err.Error(), "hunter2")
			assert.Less(t, len(err.Error()), 500)

			mock.RegisterNoResponder(answer(200, fmt.Sprintf(`{"error":false,"data":{"socket":{"app":"https://rtm.example/"},"rescue":{"socket":{"app":%q}}}}`, app)))
			endpoints, err := client.ConnectEndpoints(t.Context())
			require.NoError(t, err)
			assert.Zero(t, endpoints.Rescue, "nor as a rescue")
			assert.NotContains(t, out.String(), "hunter2")
		})
	}
}

// TestCredentialsInAnEndpointOnLoopback are refused, too.
func TestCredentialsInAnEndpointOnLoopback(t *testing.T) {
	client, mock := mockedClient(t, crisp.WithBaseURL("http://127.0.0.1:1/v1/"))
	mock.RegisterNoResponder(answer(200, `{"error":false,"data":{"socket":{"app":"http://user:hunter2@127.0.0.1/"}}}`))
	_, err := client.ConnectEndpoints(t.Context())
	assert.ErrorContains(t, err, "has credentials in it")
	assert.NotContains(t, err.Error(), "hunter2")
}
