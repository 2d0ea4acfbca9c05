package crisptest_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/rest"
)

func TestWebsiteSettings(t *testing.T) {
	srv := crisptest.NewServer(t)
	ctx, site := t.Context(), website(t, srv)
	require.NoError(t, site.Settings.Update(ctx, rest.WebsiteSettingsInput{
		Name: rest.Set("Nova"), Domain: rest.Set("nova.example"), Contact: &rest.SettingsContactInput{Email: rest.Set("desk@nova.example"), Phone: rest.Set("+15550100")},
		Chatbox: &rest.SettingsChatboxInput{Tile: rest.Set("default"), WaitGame: rest.Set(true)},
	}))
	require.NoError(t, site.Settings.Update(ctx, rest.WebsiteSettingsInput{Contact: &rest.SettingsContactInput{Phone: rest.Set("+15550101")}}))
	settings := must[*rest.WebsiteSettings](t)(site.Settings.Get(ctx))
	assert.Empty(t, settings.Problems)
	assert.Equal(t, "w Nova nova.example", settings.WebsiteID+" "+settings.Name+" "+settings.Domain)
	assert.Equal(t, "desk@nova.example +15550101", settings.Contact.Email+" "+settings.Contact.Phone, "groups are merged")
	assert.True(t, settings.Chatbox.WaitGame)
	assert.Equal(t, "Nova", must[*rest.WebsiteInfo](t)(site.Get(ctx)).Name)
}

func TestWebsiteIsCreated(t *testing.T) {
	srv := crisptest.NewServer(t, crisptest.WithWebsites("w"))
	ctx, client := t.Context(), clientOf(t, srv, crisp.TierUser)
	account := rest.Account(client)
	assert.False(t, must[bool](t)(account.HasWebsite(ctx, "nova.example")))
	info := must[*rest.WebsiteInfo](t)(account.CreateWebsite(ctx, "Nova", "nova.example"))
	assert.Empty(t, info.Problems)
	assert.True(t, must[bool](t)(account.HasWebsite(ctx, "nova.example")))
	_, err := account.CreateWebsite(ctx, "Nova", "nova.example")
	require.ErrorContains(t, err, "website_exists")

	site := rest.Website(client, info.WebsiteID)
	assert.Equal(t, "nova.example", must[*rest.WebsiteInfo](t)(site.Get(ctx)).Domain)
	proof := rest.Proof{Method: rest.Set("password"), Secret: rest.Set("s")}
	require.ErrorContains(t, site.AbortDeletion(ctx), "deletion_not_found")
	require.NoError(t, site.Delete(ctx, proof))
	require.NoError(t, site.AbortDeletion(ctx))
	_, err = rest.Website(client, "w2").Get(ctx)
	require.ErrorContains(t, err, "website_not_found")
}
