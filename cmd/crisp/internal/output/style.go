package output

// Style colours the words of a line, or leaves them plain.
type Style struct{ color bool }

// Strong is for what a reader looks for first.
func (s Style) Strong(text string) string { return s.with("1", text) }

// Dim is for what can be passed over.
func (s Style) Dim(text string) string { return s.with("2", text) }

// Good is for what went well.
func (s Style) Good(text string) string { return s.with("32", text) }

// Warn is for what may be wrong.
func (s Style) Warn(text string) string { return s.with("33", text) }

// Bad is for what went wrong.
func (s Style) Bad(text string) string { return s.with("31", text) }

func (s Style) with(code, text string) string {
	if !s.color {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}
