package main

import (
	"go/token"
	"strings"
	"unicode"
)

// initialisms are written in capitals in Go names.
var initialisms = map[string]string{
	"arr": "ARR", "asn": "ASN", "id": "ID", "ids": "IDs", "ip": "IP", "isp": "ISP",
	"os": "OS", "url": "URL", "urn": "URN",
}

// camel makes a Go name of a property's or a value's name on the wire.
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

// exported tells whether a name is one that Go exports.
func exported(name string) bool {
	return token.IsIdentifier(name) && token.IsExported(name)
}

// lowerFirst lets a sentence continue: all but words in capitals lose theirs.
func lowerFirst(s string) string {
	if len(s) > 1 && unicode.IsUpper(rune(s[1])) {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}
