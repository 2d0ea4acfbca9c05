package terminal_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"

	"github.com/crisp-go/crisp/internal/terminal"
)

func TestLine(t *testing.T) {
	for in, want := range map[string]string{
		"":                        "",
		"Où? 你好 👋":                "Où? 你好 👋",
		"two\nlines\r\n\tand tab": `two\nlines\r\n\tand tab`,
		"\x1b[2J\x07\x00\x7f":     `\x1b[2J\x07\x00\x7f`,
		"\u009b31m":               `\u009b31m`,
		"a\u202eb\u2066c\u200f":   `a\u202eb\u2066c\u200f`,
		"a\u2028b\ufeff\u200b":    `a\u2028b\ufeff\u200b`,
		"\U000e0041":              `\U000e0041`,
		"\xff\xc3(":               `\xff\xc3(`,
		"👩\u200d👧":                "👩\u200d👧", // joins the two to one picture
	} {
		assert.Equal(t, want, terminal.Line(in), "%q", in)
	}
}

func FuzzLine(f *testing.F) {
	f.Add("plain")
	f.Add("\x1b]0;title\x07 \u202e \xff \u0085")
	f.Fuzz(func(t *testing.T, text string) {
		line := terminal.Line(text)
		assert.True(t, utf8.ValidString(line))
		for _, r := range line {
			assert.False(t, unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r), "%q holds %U", line, r)
		}
		assert.Equal(t, line, terminal.Line(line))
		assert.False(t, strings.ContainsAny(line, "\n\r"))
	})
}
