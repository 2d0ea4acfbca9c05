package crisptest

import (
	"crypto/rand"
	"slices"
	"strings"
)

// Verification is a proof that a visitor is who they say they are.
type Verification struct {
	Identity   string `json:"identity"`   // what is proven: "email", "phone" or a URN
	Method     string `json:"method"`     // how, such as "link"
	Annotation string `json:"annotation"` // for people to read
}

// VerificationToken returns the token that the visitor was sent when somebody asked
// over REST to verify an identity of theirs, which is "email", "phone" or a URN. It is
// false if nobody has, or it was redeemed.
func (v *Visitor) VerificationToken(identity string) (token string, ok bool) {
	v.server.mu.Lock()
	defer v.server.mu.Unlock()
	if c := v.server.findConversation(v.WebsiteID, v.SessionID); c != nil {
		token, ok = c.proofs[identity]
	}
	return token, ok
}

// verifying is how a website verifies who its visitors are.
type verifying struct {
	enabled bool
	secret  string // signs identities
}

func newVerifying() verifying { return verifying{secret: rand.Text()} }

// maxIdentities is how many identities of a conversation can be asked for at a time.
const maxIdentities = 100

// requestVerification makes a token for an identity. If another plugin's channel has
// to bring it to the visitor, it is asked to do so. It returns false if too many
// identities were asked for.
func (c *liveConversation) requestVerification(identity, recipient string) bool {
	if _, again := c.proofs[identity]; !again && len(c.proofs) >= maxIdentities {
		return false
	}
	if c.proofs == nil {
		c.proofs = make(map[string]string)
	}
	token := c.server.newToken()
	c.proofs[identity] = token
	if strings.HasPrefix(identity, "urn:") {
		c.emit("identity:verify:request", map[string]any{
			"plugin_id":   c.server.pluginID,
			"target":      recipient,
			"code":        token,
			"confirm_url": "https://verify.invalid/" + c.SessionID + "/" + token,
		})
	}
	return true
}

// redeem verifies an identity if the token proves it, and reports whether it does.
func (c *liveConversation) redeem(identity, token, recipient string) bool {
	if proof, asked := c.proofs[identity]; !asked || proof != token {
		return false
	}
	delete(c.proofs, identity)
	c.Proven = slices.DeleteFunc(c.Proven, func(v Verification) bool { return v.Identity == identity })
	c.Proven = append(c.Proven, Verification{Identity: identity, Method: "link", Annotation: recipient})
	c.Verified = true
	c.emitVerified()
	return true
}

// setVerified verifies the visitor without a proof, or ends that. What the visitor has
// proven is listed further on.
func (c *liveConversation) setVerified(verified bool) {
	if c.Verified == verified {
		return
	}
	c.Verified = verified
	c.emitVerified()
}

func (c *liveConversation) emitVerified() {
	c.emit("session:update_verify", map[string]any{"is_verified": c.Verified, "verifications": orEmpty(c.Proven)})
}
