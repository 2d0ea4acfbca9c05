package crisptest

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
)

// The parts of a contact.
var (
	geolocationShape = object(nil, members{
		"country":     textual,
		"region":      textual,
		"city":        textual,
		"coordinates": object(nil, members{"latitude": number, "longitude": number}),
	})
	textList    = listOf(0, textual)
	personParts = members{
		"nickname":    textual,
		"avatar":      textual,
		"gender":      textual,
		"phone":       textual,
		"address":     textual,
		"description": textual,
		"website":     textual,
		"timezone":    minutes,
		"profiles":    listOf(0, object(nil, members{"type": textual, "handle": textual, "url": textual})),
		"employment":  object(nil, members{"name": textual, "domain": textual, "title": textual, "role": textual, "seniority": textual}),
		"geolocation": geolocationShape,
		"locales":     textList,
	}
	companyShape = object(nil, members{
		"name":        textual,
		"legal_name":  textual,
		"domain":      textual,
		"url":         textual,
		"description": textual,
		"timezone":    minutes,
		"phones":      textList,
		"emails":      textList,
		"geolocation": geolocationShape,
		"metrics":     object(nil, members{"employees": number, "market_cap": number, "raised": number, "arr": number}),
		"tags":        textList,
	})
)

// The bodies that REST takes for contacts. Any other is refused as invalid_data.
var (
	cardShape = object(
		members{"email": emailAddress, "person": object(members{"nickname": filled}, personParts)},
		cardParts)
	cardChangesShape = object(nil, cardParts)
	cardParts        = members{
		"email":    emailAddress,
		"person":   object(nil, personParts),
		"company":  companyShape,
		"segments": textList,
		"notepad":  textual,
		"active":   whole,
	}
	peopleDataShape   = object(members{"data": mapOf(scalar)}, nil)
	peopleEventShape  = object(members{"text": filled}, members{"data": mapOf(anything), "color": textual, "timestamp": whole})
	subscriptionShape = object(members{"email": boolean}, nil)
	importShape       = object(
		members{"url": absoluteURL, "mapping": listOf(1, object(members{"column": whole, "field": filled}, nil))},
		members{"options": object(nil, members{"column_separator": textual, "skip_header": boolean})})
	peopleFilters = listOf(1, object(members{
		"model":     oneOf("people"),
		"criterion": filled,
		"operator":  oneOf("eq", "neq", "gte", "lte", "gt", "lt"),
		"query":     listOf(1, textual),
	}, nil))
)

// emailAddress is an email address: something, an at sign, something else.
func emailAddress(v any) bool {
	s, _ := v.(string)
	mailbox, domain, _ := strings.Cut(s, "@")
	return mailbox != "" && domain != "" && !strings.ContainsAny(s, " \t\r\n<>")
}

// minutes are an offset, which may be negative.
func minutes(v any) bool {
	n, ok := v.(float64)
	return ok && n >= -most && n <= most && n == float64(int64(n))
}

// decodeExactly is decode for what is kept as it came: numbers in it are of type
// json.Number.
func (call restCall) decodeExactly(is shape, into any) bool {
	body, err := io.ReadAll(call.Body)
	return err == nil && is.fits(body) && decodeExact(body, into) == nil
}

func decodeExact(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	return d.Decode(into)
}
