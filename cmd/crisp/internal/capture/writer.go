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

// Writer keeps records. It is safe for use by several goroutines. Each record is
// written at once, so that the end of the program loses none.
type Writer struct {
	redact bool

	mu  sync.Mutex // guards what is below
	w   io.WriteCloser
	err error // of the first write that failed: nothing is written behind half a line
}

// Options say what a writer does.
type Options struct {
	Redact bool // replace what people wrote
	Now    time.Time
	Run    string // identifies the run of the program: letters and digits; may be empty
}

// Create opens a capture to write to. What is there already stays: records are
// appended to it. A file that is no capture is an error.
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

// prepare makes a file one that lines can be appended to.
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
	if last[0] != '\n' { // of a program that was killed
		_, err = file.Write([]byte("\n"))
	}
	return err
}

// NewWriter begins a capture.
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

// Write keeps a record. After an error nothing more is written.
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

// Close ends the capture. Its error says that something may not have been kept.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	err := w.w.Close()
	if w.err == nil {
		w.err = errors.New("the capture is closed")
	}
	return err
}
