package crisp_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

type deskSettings struct {
	Greeting string `json:"greeting"`
	Hours    []int  `json:"hours"`
}

func TestSettingsOf(t *testing.T) {
	saved := json.RawMessage(`{"greeting":"Moin","hours":[9,17],"more":true}`)
	want := deskSettings{Greeting: "Moin", Hours: []int{9, 17}}

	got, err := crisp.SettingsOf[deskSettings](&crisp.PluginWebsite{WebsiteID: "w-1", Settings: saved})
	require.NoError(t, err)
	assert.Equal(t, want, got)
	got, err = crisp.SettingsOf[deskSettings](&crisp.PluginSettings{WebsiteID: "w-1", Settings: saved})
	require.NoError(t, err)
	assert.Equal(t, want, got)
	got, err = crisp.SettingsOf[deskSettings](&crisp.PluginSettingsSaved{WebsiteID: "w-1", Settings: saved})
	require.NoError(t, err)
	assert.Equal(t, want, got)
	got, err = crisp.SettingsOf[deskSettings](&crisp.PluginWebsite{WebsiteID: "w-1"})
	require.NoError(t, err)
	assert.Zero(t, got, "a website without settings")
	pointer, err := crisp.SettingsOf[*deskSettings](&crisp.PluginWebsite{WebsiteID: "w-1", Settings: saved})
	require.NoError(t, err)
	assert.Equal(t, &want, pointer)
}

func TestSettingsThatDontFit(t *testing.T) {
	for name, test := range map[string]struct{ settings, says string }{
		"a field":    {`{"greeting":"hunter2","hours":["hunter2"]}`, "hours"},
		"the object": {`["hunter2"]`, "array"},
		"no JSON":    {`{"greeting":"hunter2`, "don't fit"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := crisp.SettingsOf[deskSettings](&crisp.PluginWebsite{WebsiteID: "w-1", Settings: json.RawMessage(test.settings)})
			require.ErrorContains(t, err, "settings for website w-1")
			assert.ErrorContains(t, err, test.says)
			assert.NotContains(t, err.Error(), "hunter2")
			assert.Zero(t, got)
		})
	}
}

func TestPluginSettings(t *testing.T) {
	srv := crisptest.NewServer(t, crisptest.WithWebsites("w-1", "w-2"))
	client := srv.Client()
	t.Cleanup(client.CloseIdleConnections)
	srv.SavePluginSettings("w-1", map[string]any{"greeting": "Moin", "hours": []int{9, 17}})

	settings, err := client.PluginSettings(t.Context(), "w-1", crisptest.PluginID)
	require.NoError(t, err)
	assert.Equal(t, "w-1", settings.WebsiteID)
	assert.Empty(t, settings.Problems)
	got, err := crisp.SettingsOf[deskSettings](settings)
	require.NoError(t, err)
	assert.Equal(t, deskSettings{Greeting: "Moin", Hours: []int{9, 17}}, got)

	settings, err = client.PluginSettings(t.Context(), "w-2", crisptest.PluginID)
	require.NoError(t, err)
	got, err = crisp.SettingsOf[deskSettings](settings)
	require.NoError(t, err)
	assert.Zero(t, got)

	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		printed := fmt.Sprintf(verb, crisp.PluginSettings{WebsiteID: "w-1", PluginID: "p-1", Settings: json.RawMessage(`"hunter2"`)})
		assert.Equal(t, "settings of plugin p-1 for website w-1", printed)
	}
	srv.Uninstall("w-2")
	_, err = client.PluginSettings(t.Context(), "w-2", crisptest.PluginID)
	var refusal *crisp.APIError
	require.ErrorAs(t, err, &refusal)
	_, err = client.PluginSettings(t.Context(), "w-1", "")
	var invalid *crisp.InvalidError
	require.ErrorAs(t, err, &invalid)
	assert.Equal(t, "plugin_id", invalid.Field)

	mocked, mock := mockedClient(t)
	mock.RegisterNoResponder(answer(200, `{"error":false,"data":{"settings":"none","schema":null}}`))
	settings, err = mocked.PluginSettings(t.Context(), "w-1", "p-1")
	require.NoError(t, err)
	assert.Nil(t, settings.Settings)
	assert.Len(t, settings.Problems, 1, "of another type than expected")
}
