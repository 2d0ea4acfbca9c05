package socketio

import "bytes"

// firstValue returns the first of a list of JSON values separated by commas, or
// the whole list if the first has no clear end.
func firstValue(list []byte) []byte {
	if first := likelyFirstValue(list); len(first) == 0 || first[0] != '{' || isSingleObject(first) {
		return first
	}
	return FirstValue(list)
}

// likelyFirstValue is firstValue without a look at all of the list. It is wrong, and returns
// all of the list, if that has several values, of which the first and the last are objects.
//
// Nearly every event has a single argument, an object, possibly followed by the
// offset string of Socket.IO's connection state recovery. These two forms are
// recognized from the end of the list, twenty times faster than by scanning the
// object.
func likelyFirstValue(list []byte) []byte {
	if len(list) == 0 || list[0] != '{' {
		return FirstValue(list)
	}
	first := cutLastString(list)
	if first[len(first)-1] != '}' {
		return FirstValue(list)
	}
	return first
}

// FirstValue returns the first of a list of JSON values separated by commas, or
// the whole list if the first has no clear end. It scans that value byte by byte.
func FirstValue(list []byte) []byte { return trimRight(list[:valueEnd(list)]) }

// isSingleObject reports whether list, which starts with an object, is certain
// to hold nothing else. That is so if it ends in } and no { follows a comma: a
// last value that ends in } is an object, which would begin with such a {.
func isSingleObject(list []byte) bool {
	if list[len(list)-1] != '}' {
		return false
	}
	for i := 1; ; i++ {
		n := bytes.IndexByte(list[i:], '{')
		if n < 0 {
			return true
		}
		i += n
		if before := trimRight(list[:i]); before[len(before)-1] == ',' {
			return false
		}
	}
}

// cutLastString removes the last value of list, which starts with an object, if
// it is a string that is certain to begin at the last quote but one: a quote
// that follows a comma is not escaped.
func cutLastString(list []byte) []byte {
	last := len(list) - 1
	if list[last] != '"' {
		return list
	}
	before := trimRight(list[:max(0, bytes.LastIndexByte(list[:last], '"'))])
	if len(before) < 2 || before[len(before)-1] != ',' {
		return list
	}
	return trimRight(before[:len(before)-1])
}

// valueEnd returns the length of the JSON value that b starts with: the index of
// the first comma outside brackets and strings, or len(b).
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

// stringEnd returns the length of a JSON string whose opening quote is right
// before b, up to and including the closing quote, or len(b) if there is none.
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
