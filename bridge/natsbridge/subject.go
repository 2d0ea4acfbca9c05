package natsbridge

import (
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"

	"github.com/crisp-go/crisp/bridge"
)

func (c *config) logStream() string    { return c.name() }
func (c *config) letterStream() string { return c.name() + "_DLQ" }
func (c *config) bucket() string       { return c.name() }
func (c *config) bucketStream() string { return "KV_" + c.bucket() }
func (c *config) bucketPrefix() string { return "$KV." + c.bucket() + "." }
func (c *config) logSubjects() string  { return c.prefix + ".v1.>" }
func (c *config) letterPrefix() string { return c.prefix + ".dlq." }

func (c *config) partitionSubjects(partition int) string {
	return c.prefix + ".v1." + strconv.Itoa(partition) + ".>"
}

// subject is where a message is stored, in a log of so many partitions.
func (c *config) subject(m bridge.Message, partitions int) string {
	return c.prefix + ".v1." + strconv.Itoa(bridge.PartitionOf(m.Key(), partitions)) +
		"." + token(m.WebsiteID) + "." + token(m.Type)
}

// maxToken is how many bytes a token has at most: over a subject that has more than 4,096
// in all, servers close the connection.
const maxToken = 256

// token makes one token of a subject of a text: what can't be in one is percent-encoded,
// and an empty text is "_". One that would be too long is cut, and ends with "%%" and the
// SHA-256 of the text.
func token(text string) string {
	if text == "" {
		return "_"
	}
	token := escape(text, '%', func(c byte) bool {
		return c > ' ' && c < 0x7f && c != '.' && c != '*' && c != '>' && c != '%'
	})
	if len(token) > maxToken {
		end := fmt.Sprintf("%%%%%x", sha256.Sum256([]byte(text)))
		token = token[:maxToken-len(end)] + end
	}
	return token
}

// key makes one part of a bucket's key, or of a consumer's name, of a text.
func key(text string) string {
	if text == "" {
		return "="
	}
	return escape(text, '=', func(c byte) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
	})
}

// escape writes those bytes of a text that are not plain as two hex digits behind a mark.
func escape(text string, mark byte, plain func(byte) bool) string {
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; plain(c) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%c%02X", mark, c)
		}
	}
	return b.String()
}

// maxGroup is how many bytes the name of a group may have.
const maxGroup = 64

func checkGroup(group string) error {
	if group == "" || len(group) > maxGroup {
		return fmt.Errorf("natsbridge: the group %q: needs a name of 1 to %d bytes", group, maxGroup)
	}
	return nil
}
