package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// maxSSE bounds a line of a stream of events, and the data of an event.
const maxSSE = 1 << 20

var errSSETooLong = errors.New("an event of the stream is too long")

// sseReader reads the data of server-sent events (text/event-stream). Names, IDs and
// comments don't matter here, and are skipped.
type sseReader struct {
	lines   *bufio.Scanner
	begun   bool // the first line was read
	afterCR bool // the last line ended with CR: an LF that follows belongs to it
}

func newSSEReader(r io.Reader) *sseReader {
	s := &sseReader{lines: bufio.NewScanner(r)}
	s.lines.Buffer(nil, maxSSE)
	s.lines.Split(s.split)
	return s
}

// split finds lines that end with LF, CR or both. It does not wait for what follows a CR.
// What the end of the stream has cut off is no line.
func (s *sseReader) split(data []byte, atEOF bool) (advance int, line []byte, err error) {
	begin := 0
	if s.afterCR && len(data) > 0 {
		s.afterCR = false
		if data[0] == '\n' {
			begin = 1
		}
	}
	if i := bytes.IndexAny(data[begin:], "\r\n"); i >= 0 {
		end := begin + i
		s.afterCR = data[end] == '\r'
		return end + 1, data[begin:end], nil
	}
	if atEOF {
		return len(data), nil, nil
	}
	return begin, nil, nil
}

// next returns the data of the next event that has any, or io.EOF.
func (s *sseReader) next() ([]byte, error) {
	var data []byte
	for s.lines.Scan() {
		line := s.lines.Bytes()
		if !s.begun {
			s.begun = true
			line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
		}
		if len(line) == 0 && len(data) > 1 {
			return data[:len(data)-1], nil // without the last line's end
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch {
		case len(line) == 0:
			data = nil // an event without data
		case string(name) == "data":
			data = append(append(data, bytes.TrimPrefix(value, []byte(" "))...), '\n')
		}
		if len(data) > maxSSE {
			return nil, errSSETooLong
		}
	}
	switch err := s.lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return nil, errSSETooLong
	case err != nil:
		return nil, err
	}
	return nil, io.EOF
}
