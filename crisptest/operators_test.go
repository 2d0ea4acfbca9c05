package crisptest_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/rest"
)

func TestOperators(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		ctx, operators := t.Context(), website(t, srv).Operators
		require.NoError(t, operators.Invite(ctx, "bob@nova.example", "member", rest.Proof{Method: rest.Set("password"), Secret: rest.Set("s")}))
		ada := srv.AddOperator("w", crisptest.OperatorProfile{
			UserID: "ada", Email: "ada@nova.example", FirstName: "Ada", LastName: "King", Avatar: "https://nova.example/ada.png", Role: "owner", Title: "Lead",
		})
		assert.Equal(t, "Ada King", ada.Nickname)
		list := func() (entries []string) {
			for _, one := range must[[]*rest.OperatorEntry](t)(operators.List(ctx)) {
				require.Empty(t, one.Problems)
				entries = append(entries, one.Type+" "+one.Details.UserID+" "+one.Details.Email+" "+one.Details.Role)
			}
			return entries
		}
		assert.Equal(t, []string{"operator ada ada@nova.example owner", "invite  bob@nova.example member"}, list())

		bob := srv.AddOperator("w", crisptest.OperatorProfile{Email: "bob@nova.example"})
		assert.Equal(t, []string{"operator ada ada@nova.example owner", "operator " + bob.UserID + " bob@nova.example member"}, list(),
			"who joins is no longer invited")

		require.NoError(t, operators.ChangeMembership(ctx, bob.UserID, "owner", "Engineer"))
		info := must[*rest.OperatorInfo](t)(operators.Get(ctx, bob.UserID))
		assert.Equal(t, "owner Engineer offline", info.Role+" "+info.Title+" "+info.Availability)
		info = must[*rest.OperatorInfo](t)(operators.Get(ctx, "ada"))
		assert.Equal(t, "Ada King https://nova.example/ada.png", info.FirstName+" "+info.LastName+" "+info.Avatar)
		require.NoError(t, operators.SendEmail(ctx, rest.OperatorEmail{Recipient: rest.Set("owners"), Subject: rest.Set("s"), Message: rest.Set("m")}))

		require.NoError(t, operators.Unlink(ctx, "ada"))
		assert.Equal(t, []string{"operator " + bob.UserID + " bob@nova.example owner"}, list())
		assert.Empty(t, must[[]*rest.OperatorEntry](t)(rest.Website(clientOf(t, srv, crisp.TierUser), "w2").Operators.List(ctx)))
	})
}

// A website is available while one of its operators is.
func TestAvailability(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		ctx, site := t.Context(), website(t, srv)
		ada := srv.AddOperator("w", crisptest.OperatorProfile{UserID: "ada"})
		bob := srv.AddOperator("w", crisptest.OperatorProfile{UserID: "bob"})
		eve := srv.AddOperator("w2", crisptest.OperatorProfile{UserID: "eve"})
		l := listen(t, srv)
		is := func(user, availability string) string {
			return fmt.Sprintf(`website:update_operators_availability {"availability":{"type":%q},"user_id":%q,"website_id":"w"}`, availability, user)
		}
		available := func(available string) string {
			return `website:users:available {"available":` + available + `,"website_id":"w"}`
		}
		for _, step := range []struct {
			name   string
			do     func()
			status string
			events []string
		}{
			{"the first comes", ada.Arrive, "online", []string{is("ada", "online"), available("true")}},
			{"is here already", ada.Arrive, "online", nil},
			{"another comes", bob.Arrive, "online", []string{is("bob", "online")}},
			{"one leaves", ada.Leave, "online", []string{is("ada", "offline")}},
			{"the last is removed", func() { require.NoError(t, site.Operators.Unlink(ctx, "bob")) }, "offline", []string{is("bob", "offline"), available("false")}},
			{"somebody of no website comes", srv.Operator("nobody").Arrive, "offline", nil},
		} {
			<-time.After(time.Minute)
			step.do()
			assert.Equal(t, step.events, l.events(), step.name)
			assert.Equal(t, step.status, must[*rest.WebsiteAvailability](t)(site.Availability.Status(ctx)).Status, step.name)
		}
		eve.Arrive()
		assert.Len(t, l.events(), 2)
		assert.Equal(t, "offline", must[*rest.WebsiteAvailability](t)(site.Availability.Status(ctx)).Status, "of another website")

		start := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
		assert.True(t, start.Add(5*time.Minute).Equal(must[*rest.WebsiteAvailability](t)(site.Availability.Status(ctx)).Since))
		operators := must[[]*rest.OperatorAvailability](t)(site.Availability.Operators(ctx))
		require.Len(t, operators, 1)
		assert.Empty(t, operators[0].Problems)
		assert.Equal(t, "ada offline 120", fmt.Sprint(operators[0].UserID, " ", operators[0].Type, " ", operators[0].Time.For))
		assert.True(t, start.Add(4*time.Minute).Equal(operators[0].Time.Since))
	}, crisptest.WithHeartbeat(time.Hour, time.Hour))
}

func TestOperatorsWhoWereActive(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		ctx, operators := t.Context(), website(t, srv).Operators
		ada := srv.AddOperator("w", crisptest.OperatorProfile{UserID: "ada", FirstName: "Ada"})
		bob := srv.AddOperator("w", crisptest.OperatorProfile{UserID: "bob"})
		srv.AddOperator("w", crisptest.OperatorProfile{UserID: "idle"})
		active := func() (ids []string) {
			for _, one := range must[[]*rest.ActiveOperator](t)(operators.LastActive(ctx)) {
				require.Empty(t, one.Problems)
				ids = append(ids, one.UserID)
			}
			return ids
		}
		assert.Empty(t, active())
		ada.Arrive()
		<-time.After(time.Second)
		bob.Arrive()
		assert.Equal(t, []string{"bob", "ada"}, active())
		<-time.After(time.Second)
		ada.Say(srv.Visitor("w"), "Hi")
		assert.Equal(t, []string{"ada", "bob"}, active())
		latest := must[[]*rest.ActiveOperator](t)(operators.LastActive(ctx))[0]
		assert.Equal(t, "Ada", latest.Nickname)
		assert.Equal(t, int64(946684802), latest.Timestamp.Unix())
		require.NoError(t, operators.FlushLastActive(ctx))
		assert.Empty(t, active())
	})
}

func TestWhoIsAnOperatorIsNotInvited(t *testing.T) {
	srv := crisptest.NewServer(t)
	srv.AddOperator("w", crisptest.OperatorProfile{UserID: "ada", Email: "ada@example.com"})
	for website, status := range map[string]int{"w": http.StatusConflict, "w2": http.StatusCreated} {
		answer := call(t, srv, srv.TokenFor(crisp.TierUser), http.MethodPost, "website/"+website+"/operator",
			`{"email":"Ada@example.com","role":"member","verify":{"method":"password","secret":"not-a-real-secret"}}`)
		assert.Equal(t, status, answer.Status, website)
	}
	list := must[[]*rest.OperatorEntry](t)(website(t, srv).Operators.List(t.Context()))
	assert.Len(t, list, 1)
}
