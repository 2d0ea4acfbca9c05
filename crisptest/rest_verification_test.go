package crisptest_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/rest"
)

func TestVisitorIsVerified(t *testing.T) {
	srv := crisptest.NewServer(t)
	ctx, v := t.Context(), srv.Visitor("w")
	v.SetMeta(map[string]any{"email": "camille@nova.example"})
	client := clientOf(t, srv, crisp.TierPlugin)
	in := rest.Website(client, "w").Conversation(v.SessionID)
	l := listen(t, srv)
	_, asked := v.VerificationToken("email")
	assert.False(t, asked)

	require.NoError(t, in.RequestVerification(ctx, rest.VerificationRequest{Identity: rest.Set("email"), Method: rest.Set("link")}))
	token, asked := v.VerificationToken("email")
	assert.True(t, asked)
	assert.Empty(t, l.events(), "Crisp writes to the address itself")
	redeem := func(identity, token string) error {
		return in.RedeemVerification(ctx, rest.VerificationRedemption{Identity: rest.Set(identity), Token: rest.Set(token)})
	}
	require.Error(t, redeem("phone", token), "another identity")
	require.Error(t, redeem("email", "x"+token))
	assert.False(t, must[*rest.VisitorVerification](t)(in.Verification(ctx)).Verified)
	require.NoError(t, redeem("email", token))
	require.Error(t, redeem("email", token), "it was redeemed")
	const proven = `{"annotation":"camille@nova.example","identity":"email","method":"link"}`
	assert.Equal(t, sorted(t, []string{`session:update_verify {"is_verified":true,` + chat + `,"verifications":[` + proven + `]}`}), l.events())
	info := must[*rest.VisitorVerification](t)(in.Verification(ctx))
	assert.True(t, info.Verified)
	assert.Equal(t, []crisp.Verification{{Identity: "email", Method: "link", Annotation: "camille@nova.example"}}, info.Verifications)
	c, err := client.Conversation(ctx, v.Session())
	require.NoError(t, err)
	assert.True(t, c.Verified)

	require.NoError(t, in.SetVerified(ctx, true))
	assert.Empty(t, l.events())
	require.NoError(t, in.SetVerified(ctx, false))
	assert.Equal(t, sorted(t, []string{`session:update_verify {"is_verified":false,` + chat + `,"verifications":[` + proven + `]}`}), l.events(), "past ones, too")
	assert.False(t, v.Conversation().Verified)
}

// The channels of plugins bring the code to the visitor.
func TestVerificationByAPlugin(t *testing.T) {
	srv := crisptest.NewServer(t)
	ctx, v := t.Context(), srv.Visitor("w")
	in := rest.Website(clientOf(t, srv, crisp.TierPlugin), "w").Conversation(v.SessionID)
	l, user := listen(t, srv), listenAs(t, srv, crisp.TierUser)
	require.NoError(t, in.RequestVerification(ctx, rest.VerificationRequest{Identity: rest.Set("urn:nova.example:sms"), Recipient: rest.Set("+15550100")}))
	code, _ := v.VerificationToken("urn:nova.example:sms")
	assert.Equal(t, []string{`identity:verify:request {"code":"` + code + `","confirm_url":"https://verify.invalid/` + v.SessionID + `/` + code + `","plugin_id":"` +
		crisptest.PluginID + `",` + chat[:len(chat)-len(`,"website_id":"w"`)] + `,"target":"+15550100","website_id":"w"}`}, l.events())
	assert.Empty(t, user.events(), "it is for plugins only")
	require.NoError(t, in.RedeemVerification(ctx, rest.VerificationRedemption{
		Identity: rest.Set("urn:nova.example:sms"), Token: rest.Set(code), Recipient: rest.Set("+15550100"),
	}))
	assert.True(t, v.Conversation().Verified)
}

func TestVerifySettings(t *testing.T) {
	srv := crisptest.NewServer(t)
	ctx, verify := t.Context(), website(t, srv).Verify
	assert.False(t, must[*rest.VerifySettings](t)(verify.Settings(ctx)).Enabled)
	require.NoError(t, verify.UpdateSettings(ctx, rest.VerifySettingsInput{Enabled: rest.Set(true)}))
	require.NoError(t, verify.UpdateSettings(ctx, rest.VerifySettingsInput{}))
	assert.True(t, must[*rest.VerifySettings](t)(verify.Settings(ctx)).Enabled)
	before := must[*rest.VerifyKey](t)(verify.Key(ctx)).Secret
	assert.NotEmpty(t, before)
	assert.Equal(t, before, must[*rest.VerifyKey](t)(verify.Key(ctx)).Secret)
	require.NoError(t, verify.RollKey(ctx))
	assert.NotEqual(t, before, must[*rest.VerifyKey](t)(verify.Key(ctx)).Secret)
}
