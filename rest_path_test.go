package crisp_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
)

func TestAPathWithTheVersionOfTheBaseURL(t *testing.T) {
	for _, tt := range []struct {
		base, path string
		refused    bool
	}{
		{"https://api.crisp.chat/v1/", "/v1/website/site-1", true},
		{"https://api.crisp.chat/v1", "v1/website/site-1?page=1", true},
		{"https://api.crisp.chat/v1/", "website/site-1", false},
		{"https://api.crisp.chat/v1/", "website/v1", false},
		{"https://api.crisp.chat/v1/", "v2/website", false},
		{"https://api.crisp.chat/v1/", "vip/website", false},
		{"https://api.crisp.chat/", "v1/website", false},
		{"https://example.com/website/", "website/site-1", false},
	} {
		client, mock := mockedClient(t, crisp.WithBaseURL(tt.base))
		mock.RegisterNoResponder(answer(200, `{"error":false,"reason":"resolved","data":{}}`))
		err := client.Do(t.Context(), "GET", tt.path, nil, nil)
		if !tt.refused {
			require.NoError(t, err, tt.path)
			continue
		}
		require.ErrorContains(t, err, "begins with v1, which the base URL ends in already", tt.path)
		assert.Zero(t, mock.GetTotalCallCount())
	}
}
