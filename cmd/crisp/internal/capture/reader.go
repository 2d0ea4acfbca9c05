package capture

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/cmd/crisp/internal/record"
)

// maxLine bounds a line. It has room for the largest event that the library accepts,
// 16 MiB, in Base64.
const maxLine = 32 << 20

// Reader reads a capture.
type Reader struct {
	lines  *bufio.Reader
	number int    // number of the last line that was read
	ahead  []byte // the next line, if it was read ahead
	done   error  // why reading the file ended
	offset int64  // of the file, after the last line that was read
	from   int64  // records that begin before this offset are skipped
	run    string
}

// NewReader begins to read a capture. It returns an error if it doesn't begin like one.
func NewReader(r io.Reader) (*Reader, error) {
	reader := &Reader{lines: bufio.NewReader(r)}
	line, err := reader.line()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("it is empty: a capture begins with a line {\"capture\":1}")
	}
	if err != nil {
		return nil, err
	}
	head, ok := headingOf(line)
	if !ok {
		return nil, errors.New("line 1: it is no capture: these begin with a line {\"capture\":1}")
	}
	reader.run = head.runOf(reader.number)
	return reader, reader.check(head)
}

// Run returns the name of the run that wrote the last record.
func (r *Reader) Run() string { return r.run }

// NoteError says that a line was left out. Reading can go on.
type NoteError struct {
	Line int
	Text string
}

func (e *NoteError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Text) }

// Next returns the next record, or io.EOF after the last. If the error is a *[NoteError],
// a line was left out, and the next call goes on after it.
func (r *Reader) Next() (record.Record, error) {
	for {
		line, err := r.line()
		if err != nil {
			return record.Record{}, err
		}
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if head, ok := headingOf(line); ok {
			if err := r.check(head); err != nil {
				return record.Record{}, err
			}
			r.run = head.runOf(r.number)
			continue
		}
		if r.offset < r.from {
			continue
		}
		return r.parse(line)
	}
}

func (r *Reader) parse(line []byte) (record.Record, error) {
	var head record.Head
	var drift *json.UnmarshalTypeError
	err := json.Unmarshal(line, &head)
	switch {
	case errors.As(err, &drift):
		return record.Record{}, r.errorf("a record with %s of the wrong type", drift.Field)
	case err != nil && r.isCut():
		return record.Record{}, r.note("it was cut off, and is left out")
	case err != nil:
		return record.Record{}, r.errorf("no JSON: %w", err)
	}
	what, known := record.New(head.Kind)
	switch {
	case head.Kind == record.KindEvent:
		what, err = parseEvent(line)
	case known:
		err = json.Unmarshal(line, what)
	default:
		return record.Record{}, r.note("a record of kind %q, which this version doesn't know, is left out", head.Kind)
	}
	if err != nil {
		return record.Record{}, r.errorf("%s: %w", head.Kind, err)
	}
	return record.Record{N: head.N, At: head.At, What: what}, nil
}

func parseEvent(line []byte) (*record.Event, error) {
	var about eventLine
	if err := json.Unmarshal(line, &about); err != nil {
		return nil, err
	}
	body := about.body()
	if body == nil {
		return nil, errors.New("it has no envelope")
	}
	ev, err := record.Parse(body)
	if err != nil {
		return nil, fmt.Errorf("the envelope: %w", err)
	}
	meta := ev.Event.EventMeta()
	meta.Source = about.Source
	if about.Limit != 0 {
		meta.Delivery = &crisp.Delivery{Attempt: about.Attempt, Limit: about.Limit}
	}
	return ev, nil
}

func (r *Reader) check(head heading) error {
	if head.Capture != version {
		return r.errorf("a capture of version %d: this program reads version %d", head.Capture, version)
	}
	return nil
}

func headingOf(line []byte) (head heading, ok bool) {
	if bytes.HasPrefix(line, []byte(`{"n":`)) { // surely a record; parsing all of them would be slow
		return head, false
	}
	err := json.Unmarshal(line, &head)
	return head, err == nil && head.Capture != 0
}

// isCut reports whether the program may have been killed while it wrote the last line:
// the line is the file's last, or a run's.
func (r *Reader) isCut() bool {
	if r.ahead == nil && r.done == nil {
		r.ahead, r.done = r.read()
	}
	if r.done != nil {
		return errors.Is(r.done, io.EOF)
	}
	_, begins := headingOf(r.ahead)
	return begins
}

func (r *Reader) line() ([]byte, error) {
	r.number++
	if line := r.ahead; line != nil {
		r.ahead = nil
		return line, nil
	}
	if r.done != nil {
		return nil, r.done
	}
	line, err := r.read()
	if err != nil {
		r.done = err
	}
	return line, err
}

// read returns the next line without its line break, or io.EOF at the end of the file.
func (r *Reader) read() ([]byte, error) {
	line := []byte{}
	for {
		part, err := r.lines.ReadSlice('\n')
		r.offset += int64(len(part))
		line = append(line, part...)
		switch {
		case len(line) > maxLine:
			return nil, r.errorf("it is longer than %d MiB", maxLine>>20)
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && len(line) > 0:
			return line, nil
		case err != nil:
			return nil, err
		default:
			return line[:len(line)-1], nil
		}
	}
}

func (r *Reader) errorf(format string, args ...any) error {
	return fmt.Errorf("line %d: %w", r.number, fmt.Errorf(format, args...))
}

func (r *Reader) note(format string, args ...any) error {
	return &NoteError{Line: r.number, Text: fmt.Sprintf(format, args...)}
}
