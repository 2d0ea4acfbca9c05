package socketio

// valueEnd returns the length of the JSON value that b starts with, white space
// before and after it included: the position of the first comma outside of its
// brackets and strings, or len(b).
func valueEnd(b []byte) int {
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			i += stringEnd(b[i+1:])
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case ',':
			if depth <= 0 {
				return i
			}
		}
	}
	return len(b)
}

// stringEnd returns the length of the rest of a JSON string, b starting behind
// its opening quote, up to and including the closing one; len(b) if there is none.
func stringEnd(b []byte) int {
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
	}
	return len(b)
}
