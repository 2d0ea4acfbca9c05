package main

import (
	"go/token"
	"strings"
	"unicode"
)

// initialisms are written in capitals in Go names.
var initialisms = map[string]string{
	"arr": "ARR", "asn": "ASN", "html": "HTML", "id": "ID", "ids": "IDs", "ip": "IP", "ips": "IPs", "isp": "ISP",
	"jwt": "JWT", "mcp": "MCP", "os": "OS", "url": "URL", "urn": "URN",
}

// camel returns the Go name for a name on the wire, such as VisitorID for
// visitor_id.
func camel(name string) string {
	words := strings.FieldsFunc(name, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
	for i, w := range words {
		if upper, ok := initialisms[w]; ok {
			words[i] = upper
			continue
		}
		words[i] = strings.ToUpper(w[:1]) + w[1:]
	}
	return strings.Join(words, "")
}

// exported reports whether a name is an exported Go identifier.
func exported(name string) bool {
	return token.IsIdentifier(name) && token.IsExported(name)
}

// lowerFirst turns the beginning of a sentence into the middle of one. A first
// word in capitals, such as URL, keeps them.
func lowerFirst(s string) string {
	if len(s) > 1 && unicode.IsUpper(rune(s[1])) {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}
