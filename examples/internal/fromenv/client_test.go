package fromenv_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/examples/internal/fromenv"
)

func TestClientOfEachTier(t *testing.T) {
	for _, tier := range []crisp.Tier{crisp.TierPlugin, crisp.TierUser, crisp.TierWebsite} {
		t.Run(string(tier), func(t *testing.T) {
			srv := crisptest.NewServer(t, crisptest.WithTier(tier))
			env := map[string]string{
				"CRISP_TIER":       string(tier),
				"CRISP_IDENTIFIER": srv.Token().Identifier,
				"CRISP_KEY":        srv.Token().Key,
				"CRISP_WEBSITE_ID": srv.Token().WebsiteID(),
				"CRISP_BASE_URL":   srv.URL(),
			}
			client, err := fromenv.Client(func(key string) string { return env[key] })
			require.NoError(t, err)
			t.Cleanup(client.CloseIdleConnections)
			_, err = client.ConnectEndpoints(t.Context())
			assert.NoError(t, err)
		})
	}
}

func TestClientRefusesNonsense(t *testing.T) {
	for name, env := range map[string]map[string]string{
		"nothing set":  {},
		"unknown tier": {"CRISP_TIER": "operator", "CRISP_IDENTIFIER": "a", "CRISP_KEY": "b"},
		"no website":   {"CRISP_TIER": "website", "CRISP_IDENTIFIER": "a", "CRISP_KEY": "b"},
		"bad URL":      {"CRISP_IDENTIFIER": "a", "CRISP_KEY": "b", "CRISP_BASE_URL": "somewhere"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := fromenv.Client(func(key string) string { return env[key] })
			assert.Error(t, err)
		})
	}
}
