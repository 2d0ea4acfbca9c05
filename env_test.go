package crisp_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

func TestAClientFromTheEnvironment(t *testing.T) {
	for _, tier := range []crisp.Tier{crisp.TierPlugin, crisp.TierUser, crisp.TierWebsite} {
		t.Run(string(tier), func(t *testing.T) {
			srv := crisptest.NewServer(t, crisptest.WithTier(tier))
			srv.Setenv(t)
			client, err := crisp.NewFromEnv()
			require.NoError(t, err)
			t.Cleanup(client.CloseIdleConnections)
			assert.Equal(t, tier, client.Tier())
			_, err = client.ConnectEndpoints(t.Context())
			assert.NoError(t, err)
		})
	}
}

func TestWithoutATierTheTokenIsAPlugins(t *testing.T) {
	crisptest.NewServer(t).Setenv(t)
	t.Setenv("CRISP_TIER", "")
	client, err := crisp.NewFromEnv()
	require.NoError(t, err)
	assert.Equal(t, crisp.TierPlugin, client.Tier())
}

func TestOptionsCountMoreThanTheEnvironment(t *testing.T) {
	srv := crisptest.NewServer(t)
	srv.Setenv(t)
	t.Setenv("CRISP_BASE_URL", "http://127.0.0.1:1/v1/")
	client, err := crisp.NewFromEnv(crisp.WithBaseURL(srv.URL()))
	require.NoError(t, err)
	t.Cleanup(client.CloseIdleConnections)
	_, err = client.ConnectEndpoints(t.Context())
	assert.NoError(t, err)
}

func TestTheErrorNamesTheVariable(t *testing.T) {
	const key = "the-secret-half"
	for name, tt := range map[string]struct {
		set  map[string]string
		says string
	}{
		"no token":        {map[string]string{"CRISP_IDENTIFIER": "", "CRISP_KEY": ""}, "CRISP_IDENTIFIER and CRISP_KEY are not set"},
		"no identifier":   {map[string]string{"CRISP_IDENTIFIER": ""}, "CRISP_IDENTIFIER is not set"},
		"no key":          {map[string]string{"CRISP_KEY": ""}, "CRISP_KEY is not set"},
		"an unknown tier": {map[string]string{"CRISP_TIER": "operator"}, `CRISP_TIER is "operator"`},
		"no website":      {map[string]string{"CRISP_TIER": "website", "CRISP_WEBSITE_ID": ""}, "CRISP_WEBSITE_ID is not set"},
		"no URL":          {map[string]string{"CRISP_BASE_URL": "somewhere"}, "CRISP_BASE_URL"},
		"in the clear":    {map[string]string{"CRISP_BASE_URL": "http://api.crisp.chat/v1/"}, "CRISP_BASE_URL"},
	} {
		t.Run(name, func(t *testing.T) {
			crisptest.NewServer(t).Setenv(t)
			t.Setenv("CRISP_KEY", key)
			for variable, value := range tt.set {
				t.Setenv(variable, value)
			}
			_, err := crisp.NewFromEnv()
			require.ErrorContains(t, err, tt.says)
			assert.NotContains(t, err.Error(), key)
		})
	}
}
