package crisptest

// Setenv sets the environment, until the test ends, to what [crisp.NewFromEnv] and
// programs that read it find the server by: CRISP_BASE_URL, CRISP_IDENTIFIER, CRISP_KEY,
// CRISP_TIER, CRISP_WEBSITE_ID and CRISP_SIGNING_SECRET. Like [testing.T.Setenv], it is
// not for tests that run in parallel.
func (s *Server) Setenv(tb interface{ Setenv(name, value string) }) {
	token := s.Token()
	website := token.WebsiteID()
	if website == "" {
		website = WebsiteID
	}
	for name, value := range map[string]string{
		"CRISP_BASE_URL":       s.URL(),
		"CRISP_IDENTIFIER":     token.Identifier,
		"CRISP_KEY":            token.Key,
		"CRISP_TIER":           string(token.Tier),
		"CRISP_WEBSITE_ID":     website,
		"CRISP_SIGNING_SECRET": s.SigningSecret(),
	} {
		tb.Setenv(name, value)
	}
}
