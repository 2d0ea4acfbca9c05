// Package output writes what a command has found to stdout, in the form that was
// asked for: a line for people, or an object a line for programs.
package output

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/itchyny/gojq"
	"github.com/spf13/pflag"

	"github.com/crisp-go/crisp/internal/terminal"
)

// Format is a form of output.
type Format string

// The formats.
const (
	FormatLine Format = "line" // for people
	FormatJSON Format = "json" // one object a line
	FormatRaw  Format = "raw"  // what came from Crisp as it came
)

// Options say how to write.
type Options struct {
	format string
	jq     string
	color  string

	Plain bool            // a terminal is shown no colours either
	Ended <-chan struct{} // closed when the user ends the program: jq expressions end soon after; nil for never
}

// AddTo adds the flags for the options to a command's.
func (o *Options) AddTo(flags *pflag.FlagSet) {
	flags.StringVar(&o.format, "format", string(FormatLine), "how data are written: line, json or raw")
	flags.StringVar(&o.jq, "jq", "", "what a jq `expression` makes of each object, instead of the object")
	flags.StringVar(&o.color, "color", "auto", "when lines have colours: auto, which is on a terminal and without $NO_COLOR, or never")
}

// Item is one thing to write.
type Item struct {
	Line  func(Style) string // for people: one line, or several; it escapes what it quotes
	Value any                // encoding/json encodes it
	Raw   []byte             // as it came from Crisp, if it did; otherwise the value's JSON stands for it
}

// Printer writes items. It is safe for use by several goroutines.
type Printer struct {
	format     Format
	jq         *gojq.Code
	style      Style
	toTerminal bool
	ended      <-chan struct{}

	mu sync.Mutex // guards what is below
	w  io.Writer
}

// ErrEnded is returned by Print if a jq expression was not done before the end.
var ErrEnded = errors.New("ended before --jq was done")

// New returns a printer that writes to w. It returns an error if an option is
// invalid.
func New(w io.Writer, o Options, toTerminal bool) (*Printer, error) {
	p := &Printer{w: w, ended: o.Ended, format: Format(o.format), toTerminal: toTerminal}
	switch p.format {
	case FormatLine, FormatJSON, FormatRaw:
	default:
		return nil, fmt.Errorf("--format is %q; it must be line, json or raw", o.format)
	}
	switch o.color {
	case "auto":
		p.style = Style{color: toTerminal && !o.Plain}
	case "never":
	default:
		return nil, fmt.Errorf("--color is %q; it must be auto or never", o.color)
	}
	if o.jq == "" {
		return p, nil
	}
	if p.format == FormatRaw {
		return nil, errors.New("--jq changes what is written, --format raw does not: use one of them")
	}
	query, err := gojq.Parse(o.jq)
	if err != nil {
		return nil, fmt.Errorf("--jq: %w", err)
	}
	p.jq, err = gojq.Compile(query)
	if err != nil {
		return nil, fmt.Errorf("--jq: %w", err)
	}
	p.format = FormatJSON
	return p, nil
}

// Format returns the form that is written.
func (p *Printer) Format() Format { return p.format }

// Print writes an item.
func (p *Printer) Print(item Item) error {
	text, err := p.text(item)
	if err != nil {
		return err
	}
	if p.jq != nil {
		return p.query(text)
	}
	return p.write(text)
}

func (p *Printer) write(text []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, err := p.w.Write(text)
	return err
}

func (p *Printer) text(item Item) ([]byte, error) {
	switch {
	case p.format == FormatLine:
		return append([]byte(item.Line(p.style)), '\n'), nil
	case p.format == FormatRaw && item.Raw != nil && p.toTerminal:
		safe := bytes.ReplaceAll(terminal.JSON(item.Raw), []byte("\r"), []byte(" ")) // white space, but it overwrites lines
		return append(safe, '\n'), nil
	case p.format == FormatRaw && item.Raw != nil:
		return append(bytes.Clone(item.Raw), '\n'), nil
	}
	encoded, err := Encode(item.Value)
	return append(encoded, '\n'), err
}

// maxResults is how many bytes of results are held back, so that those of one value
// stay together. An expression may have results without end.
const maxResults = 1 << 20

// patience is how long a jq expression may still take for a value when the program is
// ended: what came before the end is written.
const patience = 300 * time.Millisecond

// query writes what the jq expression makes of a value, a result a line.
func (p *Printer) query(encoded []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(encoded))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-p.ended:
			select {
			case <-time.After(patience):
				cancel()
			case <-ctx.Done():
			}
		case <-ctx.Done():
		}
	}()
	var text []byte
	for results := p.jq.RunWithContext(ctx, value); ; {
		result, ok := results.Next()
		if !ok {
			return p.write(text)
		}
		line, err := resultLine(result)
		switch {
		case ctx.Err() != nil:
			return ErrEnded
		case err != nil:
			return fmt.Errorf("--jq: %w", err)
		}
		if text = append(append(text, line...), '\n'); len(text) < maxResults {
			continue
		}
		if err := p.write(text); err != nil {
			return err
		}
		text = text[:0]
	}
}

// resultLine returns a result of a jq expression as JSON, or the error that it is.
func resultLine(result any) ([]byte, error) {
	if err, failed := result.(error); failed {
		return nil, err
	}
	line, err := gojq.Marshal(result)
	return terminal.JSON(line), err
}

// Encode returns a value as JSON that is safe to show, in one line. Unlike
// encoding/json by itself it doesn't change the characters <, > and &.
func Encode(value any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return bytes.Clone(terminal.JSON(bytes.TrimSuffix(b.Bytes(), []byte("\n")))), nil
}
