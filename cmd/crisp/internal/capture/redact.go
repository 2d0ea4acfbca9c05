package capture

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/crisp-go/crisp/cmd/crisp/internal/jsontext"
)

// Redact masks in a web hook's body what people wrote and what identifies them: all
// strings except identifiers and those of a few members that Crisp or a program sets.
// Letters become x and digits 0, so that email addresses, numbers and links keep their
// form. In maps that programs fill freely, numbers become 0, too.
//
// A body that is not JSON becomes an empty object.
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
		_ = json.Unmarshal(value, &text) // can't fail: it is valid
		if isKept(path) && isWord(text) || isIdentifier(text) && !isSecret(path) {
			return nil
		}
		masked, _ := json.Marshal(mask(text)) // can't fail for a string
		return masked
	})
}

// keptNames are members whose strings describe a thing, and say nothing about a person.
var keptNames = []string{
	"type", "from", "origin", "state", "availability", "event", "mode", "namespace", "health", "outcome",
	"status", "urn", "color", "action", "read", "delivered", "method", "error", "capabilities",
}

// freeMaps are objects whose members are named by programs or visitors.
var freeMaps = []string{
	"data", "metadata", "headers", "properties", "settings", "payload", "result", "update", "identity", "references",
}

// secretNames are members whose values give access to something.
var secretNames = []string{"browsing_token", "token", "code", "confirm_url", "signed", "key", "secret"}

// isKept reports whether the strings at a path stay, if they are single words.
func isKept(path jsontext.Path) bool {
	if len(path) == 1 { // a member of the envelope itself
		return path[0] == "website_id" || path[0] == "event"
	}
	name := nameOf(path)
	isPart := strings.HasSuffix(name, "_id") || strings.HasSuffix(name, "_ids") || slices.Contains(keptNames, name)
	return isPart && !inFreeMap(path)
}

// nameOf returns the name of the member that holds a value, or the list around it.
func nameOf(path jsontext.Path) string {
	for _, step := range slices.Backward(path) {
		if step != "" {
			return step
		}
	}
	return ""
}

// inFreeMap reports whether a value is in one of freeMaps, or in an unknown member of the
// envelope. The envelope's data itself does not count.
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

// isWord reports whether a text looks like a keyword that a program set. Colons are fine,
// since no name has one; an @ is not, since addresses do.
func isWord(text string) bool { return word.MatchString(text) }

// isIdentifier reports whether a text has the form of Crisp's identifiers.
func isIdentifier(text string) bool { return identifier.MatchString(text) }

// mask replaces letters and digits, but keeps the scheme of a link.
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
