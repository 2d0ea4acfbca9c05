package doctor

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"net"
	"slices"
	"strings"
)

// certificateError returns the certificate error in an error; nil if there is none.
func certificateError(err error) *tls.CertificateVerificationError {
	var refused *tls.CertificateVerificationError
	if errors.As(err, &refused) {
		return refused
	}
	return nil
}

// refusedCertificate returns the finding for a host whose certificate was not accepted.
func refusedCertificate(host string, refused *tls.CertificateVerificationError) Finding {
	var expired x509.CertificateInvalidError
	var name x509.HostnameError
	issuer := "unknown"
	if len(refused.UnverifiedCertificates) > 0 {
		issuer = issuerOf(refused.UnverifiedCertificates[0])
	}
	f := wrong("the certificate of %s, by %q, is refused: %v", host, issuer, refused.Err)
	switch {
	case errors.As(refused.Err, &expired) && expired.Reason == x509.Expired:
		return f.do("check this machine's clock; if it is right, something between intercepts TLS with an old certificate")
	case errors.As(refused.Err, &name):
		return f.do("another server answers for %s: check DNS, /etc/hosts and proxies", hostname(host))
	default:
		return f.do("TLS is intercepted, by a company's proxy or a virus scanner, say: have it leave %s alone, "+
			"or add its authority to this machine's (SSL_CERT_FILE names a file with it, on Linux)", hostname(host))
	}
}

// judgeTLS returns the finding for a connection whose certificate was accepted, though
// perhaps only because this machine trusts an authority that nobody else does.
func judgeTLS(host string, state *tls.ConnectionState) Finding {
	if state == nil || len(state.VerifiedChains) == 0 {
		return skipped("the connection has no certificate to look at")
	}
	root := state.VerifiedChains[0][len(state.VerifiedChains[0])-1]
	authority := nameOf(root.Subject)
	if isLocal(hostname(host)) || isPublic(root.Subject) {
		return ok("certificate by %s", authority)
	}
	return warning("the certificate of %s is by %q, which is no public authority that is known here", host, authority).
		do("TLS seems to be intercepted: what reads it reads the key, too. Have it leave %s alone, unless it is meant to", hostname(host))
}

func isLocal(name string) bool {
	ip := net.ParseIP(name)
	return name == "localhost" || ip != nil && ip.IsLoopback()
}

func issuerOf(certificate *x509.Certificate) string { return nameOf(certificate.Issuer) }

func nameOf(name pkix.Name) string {
	if len(name.Organization) > 0 {
		return name.Organization[0]
	}
	return cmp.Or(name.CommonName, "an authority without a name")
}

// publicAuthorities are parts of the names, in lower case, of the authorities that issue
// nearly all certificates of the web.
var publicAuthorities = []string{
	"actalis", "affirmtrust", "amazon", "baltimore", "buypass", "certainly", "certum", "asseco", "cloudflare", "comodo",
	"cybertrust", "d-trust", "digicert", "emudhra", "entrust", "firmaprofesional", "globalsign", "godaddy", "go daddy",
	"google trust services", "harica", "hellenic academic", "identrust", "digital signature trust", "internet security research group",
	"isrg", "let's encrypt", "microsoft", "network solutions", "quovadis", "sectigo", "secom", "ssl corp", "ssl.com",
	"starfield", "swisssign", "t-systems", "telia", "thawte", "geotrust", "trustcor", "trustwave", "usertrust", "verisign",
	"zerossl",
}

// isPublic reports whether a name is that of a well-known public authority.
func isPublic(name pkix.Name) bool {
	all := strings.ToLower(strings.Join(append(slices.Clone(name.Organization), name.CommonName), " "))
	return slices.ContainsFunc(publicAuthorities, func(known string) bool { return strings.Contains(all, known) })
}
