package kafkabridge

import (
	"fmt"
	"strings"
)

func (c *config) logTopic() string      { return c.prefix + ".v1" }
func (c *config) leaseTopic() string    { return c.prefix + ".leases" }
func (c *config) positionTopic() string { return c.prefix + ".positions" }

func (c *config) letterTopic(group string) string { return c.prefix + ".dlq." + escape(group) }
func (c *config) groupID(group string) string     { return c.prefix + "." + group }

// escape makes a part of a topic's name of any text: other texts make other ones.
func escape(text string) string {
	var b strings.Builder
	for i := range len(text) {
		c := text[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' {
			b.WriteByte(c)
			continue
		}
		fmt.Fprintf(&b, ".%02X", c)
	}
	return b.String()
}

// checkGroup returns an error for a name that is no group's: escaped, it has to leave room
// in the name of a topic.
func checkGroup(group string) error {
	if n := len(escape(group)); group == "" || n > 128 {
		return fmt.Errorf("kafkabridge: the group %.64q: needs 1 to 128 bytes, of which each counts three that is no letter, digit, hyphen or underscore", group)
	}
	return nil
}
