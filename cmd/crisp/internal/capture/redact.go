package capture

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/crisp-go/crisp/cmd/crisp/internal/jsontext"
)

// Redact replaces what people wrote, and what they can be known by, in the body of a
// web hook: all texts but those of a few members whose values Crisp, or a program,
// has set, and identifiers. Letters become x and digits 0, so that what looks like
// an email address, a number or a link still does. Of maps that a program fills as
// it likes, numbers become 0, too.
//
// A body that is no JSON has nothing left but braces.
func Redact(body []byte) []byte {
	if !json.Valid(body) {
		return []byte("{}")
	}
	return jsontext.Rewrite(body, func(path jsontext.Path, value []byte) []byte {
		isText := value[0] == '"'
		switch {
		case inFreeMap(path) && isNumber(value), isPlace(path) && isNumber(value):
			return []byte("0")
		case !isText:
			return nil
		}
		var text string
		_ = json.Unmarshal(value, &text) // it is valid
		if isKept(path) && isWord(text) || isIdentifier(text) && !isSecret(path) {
			return nil
		}
		masked, _ := json.Marshal(mask(text)) // a string always can be
		return masked
	})
}

// keptNames are members whose texts say what something is, and nothing of anybody.
var keptNames = []string{
	"type", "from", "origin", "state", "availability", "event", "mode", "namespace", "health", "outcome",
	"status", "urn", "color", "action", "read", "delivered", "method", "error", "capabilities",
}

// freeMaps are members whose own members a program, or a visitor, names.
var freeMaps = []string{
	"data", "metadata", "headers", "properties", "settings", "payload", "result", "update", "identity", "references",
}

// secretNames are members whose values open something.
var secretNames = []string{"browsing_token", "token", "code", "confirm_url", "signed", "key", "secret"}

// isKept reports whether a text stays as it is.
func isKept(path jsontext.Path) bool {
	if len(path) == 1 { // of the envelope itself
		return path[0] == "website_id" || path[0] == "event"
	}
	name := nameOf(path)
	isPart := strings.HasSuffix(name, "_id") || strings.HasSuffix(name, "_ids") || slices.Contains(keptNames, name)
	return isPart && !inFreeMap(path)
}

// nameOf is the member that a value, or the list that it is in, belongs to.
func nameOf(path jsontext.Path) string {
	for _, step := range slices.Backward(path) {
		if step != "" {
			return step
		}
	}
	return ""
}

// inFreeMap reports whether a value is within a map that a program fills. The
// envelope's own data are none.
func inFreeMap(path jsontext.Path) bool {
	for i, step := range path[:max(len(path)-1, 0)] {
		if i > 0 && slices.Contains(freeMaps, step) {
			return true
		}
	}
	return len(path) > 1 && path[0] != "data"
}

func isPlace(path jsontext.Path) bool {
	name := nameOf(path)
	return name == "latitude" || name == "longitude"
}

func isSecret(path jsontext.Path) bool { return slices.Contains(secretNames, nameOf(path)) }

func isNumber(value []byte) bool { return value[0] == '-' || '0' <= value[0] && value[0] <= '9' }

var identifier = regexp.MustCompile(`^(session_|browsing_|call_)?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

var word = regexp.MustCompile(`^[A-Za-z0-9_.:/+-]*$`)

// isWord reports whether a text may be one of a few that a program has set: nobody's
// name has a colon, but an address has an @.
func isWord(text string) bool { return word.MatchString(text) }

// isIdentifier reports whether a text is an identifier that Crisp gives.
func isIdentifier(text string) bool { return identifier.MatchString(text) }

// mask replaces letters and digits. The scheme of a link stays.
func mask(text string) string {
	var scheme string
	for _, prefix := range []string{"https://", "http://", "mailto:"} {
		if rest, ok := strings.CutPrefix(text, prefix); ok {
			scheme, text = prefix, rest
		}
	}
	return scheme + strings.Map(func(r rune) rune {
		switch {
		case '0' <= r && r <= '9':
			return '0'
		case r < 0x80 && !unicode.IsLetter(r) && !unicode.IsControl(r):
			return r
		default:
			return 'x'
		}
	}, text)
}
