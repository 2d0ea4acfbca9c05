package crisptest

import (
	"crypto/rand"
	"net/http"
	"strings"
)

// The bodies that the routes of verifications take.
var (
	verifySettingsShape = object(nil, members{"enabled": boolean})
	verifyShape         = object(members{"verified": boolean}, nil)
	verifyRequestShape  = object(members{"identity": identity}, members{"method": oneOf("link"), "recipient": textual})
	verifyRedeemShape   = object(members{"identity": identity, "token": filled}, members{"recipient": textual})
)

// identity is what of a visitor can be verified.
func identity(v any) bool {
	s, _ := v.(string)
	return s == "email" || s == "phone" || strings.HasPrefix(s, "urn:") && s != "urn:"
}

// verifyRoutes adds the routes of how a website verifies its visitors.
func (s *Server) verifyRoutes(handle addRoute) {
	const website = "website/{website}/verify/"
	handle("GET", website+"settings", s.onSite(getVerifySettings))
	handle("PATCH", website+"settings", s.onSite(patchVerifySettings))
	handle("GET", website+"key", s.onSite(getVerifyKey))
	handle("POST", website+"key", s.onSite(rollVerifyKey))
}

func getVerifySettings(_ restCall, w *site) restReply {
	return success("resolved", map[string]any{"enabled": w.enabled})
}

func patchVerifySettings(call restCall, w *site) restReply {
	var body struct {
		Enabled *bool `json:"enabled"`
	}
	if !call.decode(verifySettingsShape, &body) {
		return invalid
	}
	if body.Enabled != nil {
		w.enabled = *body.Enabled
	}
	return success("updated", struct{}{})
}

func getVerifyKey(_ restCall, w *site) restReply {
	return success("resolved", map[string]any{"secret": w.secret})
}

func rollVerifyKey(_ restCall, w *site) restReply {
	w.secret = rand.Text()
	return success("updated", struct{}{})
}

// verificationRoutes adds the routes that verify the visitor of a conversation.
func (s *Server) verificationRoutes(in addConversationRoute) {
	in("GET", "/verify", getVerify)
	in("PATCH", "/verify", patchVerify)
	in("POST", "/verify/identity", postVerifyIdentity)
	in("PUT", "/verify/identity/link", putVerifyLink)
}

func getVerify(_ restCall, c *liveConversation) restReply {
	return success("resolved", map[string]any{"verified": c.Verified, "verifications": orEmpty(c.Proven)})
}

func patchVerify(call restCall, c *liveConversation) restReply {
	var body document
	if !call.decode(verifyShape, &body) {
		return invalid
	}
	c.setVerified(body.flag("verified"))
	return success("updated", struct{}{})
}

func postVerifyIdentity(call restCall, c *liveConversation) restReply {
	var body document
	if !call.decode(verifyRequestShape, &body) {
		return invalid
	}
	if !c.requestVerification(body.text("identity"), c.recipient(body)) {
		return invalid
	}
	return reply(http.StatusAccepted, "dispatched", struct{}{})
}

// recipient returns who is to be verified: whom the body names, or else whom the
// conversation knows.
func (c *liveConversation) recipient(body document) string {
	if to := body.text("recipient"); to != "" {
		return to
	}
	return document(c.Meta).text(body.text("identity"))
}

func putVerifyLink(call restCall, c *liveConversation) restReply {
	var body document
	if !call.decode(verifyRedeemShape, &body) {
		return invalid
	}
	if !c.redeem(body.text("identity"), body.text("token"), c.recipient(body)) {
		return refusal(http.StatusNotFound, "token_not_found")
	}
	return success("redeemed", struct{}{})
}
