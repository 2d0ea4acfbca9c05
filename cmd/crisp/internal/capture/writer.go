package capture

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/cmd/crisp/internal/output"
	"github.com/crisp-go/crisp/cmd/crisp/internal/record"
)

// Writer writes records to a capture. It is safe for concurrent use. It does not buffer,
// so that no record is lost if the program is killed.
type Writer struct {
	redact bool

	mu  sync.Mutex // guards the fields below and the order of lines
	w   io.WriteCloser
	err error // the first failed write, which may have left half a line; nothing is written after it
}

// Options say how to write a capture.
type Options struct {
	Redact bool // replace what people wrote
	Now    time.Time
	Run    string // identifies the run of the program: letters and digits; may be empty
}

// Create opens a capture for writing, and appends to it if it exists. A file that is not
// a capture is an error.
func Create(path string, o Options) (*Writer, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the capture: %w", err)
	}
	w, err := begin(file, o)
	if err != nil {
		_ = file.Close() // nothing was written
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return w, nil
}

func begin(file *os.File, o Options) (*Writer, error) {
	if err := prepare(file); err != nil {
		return nil, err
	}
	return NewWriter(file, o)
}

// prepare checks that an existing file is a capture, and makes it private and ready for
// lines to be appended.
func prepare(file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Size() == 0 {
		return nil
	}
	if _, err := NewReader(io.NewSectionReader(file, 0, info.Size())); err != nil {
		return fmt.Errorf("it is there, and no capture that could be appended to: %w", err)
	}
	if err := file.Chmod(0o600); err != nil {
		return err
	}
	last := make([]byte, 1)
	if _, err := file.ReadAt(last, info.Size()-1); err != nil {
		return err
	}
	if last[0] != '\n' { // the program that wrote it was killed
		_, err = file.Write([]byte("\n"))
	}
	return err
}

// NewWriter begins a capture by writing its heading.
func NewWriter(w io.WriteCloser, o Options) (*Writer, error) {
	line, err := output.Encode(heading{Capture: version, By: "crisp " + crisp.Version, At: o.Now, Run: o.Run})
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(append(line, '\n')); err != nil {
		return nil, fmt.Errorf("writing the capture: %w", err)
	}
	return &Writer{redact: o.Redact, w: w}, nil
}

// Write writes a record. After an error nothing more is written.
func (w *Writer) Write(r record.Record) error {
	line, err := encode(r, w.redact)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		if _, err := w.w.Write(line); err != nil {
			w.err = fmt.Errorf("writing the capture: %w", err)
		}
	}
	return w.err
}

// Close closes the capture. An error means that something may not have been written.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	err := w.w.Close()
	if w.err == nil {
		w.err = errors.New("the capture is closed")
	}
	return err
}
