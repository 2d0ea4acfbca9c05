// Package output writes a command's data to stdout in the format that was asked for:
// lines for people, or JSON lines for programs.
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

// Format is a format of output.
type Format string

// The formats.
const (
	FormatLine Format = "line" // for people
	FormatJSON Format = "json" // one object per line
	FormatRaw  Format = "raw"  // what came from Crisp, byte for byte
)

// Options say how to write.
type Options struct {
	format string
	jq     string
	color  string

	Plain bool            // no colours, not even on a terminal
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
	Line  func(Style) string // for people: one or more lines, with quoted text escaped
	Value any                // for JSON
	Raw   []byte             // as it came from Crisp; nil if it did not, then Value's JSON is written
}

// Printer writes items. It is safe for concurrent use.
type Printer struct {
	format     Format
	jq         *gojq.Code
	style      Style
	toTerminal bool
	ended      <-chan struct{}

	mu sync.Mutex // guards writes to w
	w  io.Writer
}

// ErrEnded is returned by Print if the program ended before a jq expression was done.
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

// Format returns the format that is written; --jq implies JSON.
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

// maxResults is how many bytes of results are held back so that those of one value stay
// together. It is bounded since an expression may have endless results.
const maxResults = 1 << 20

// patience is how long a jq expression may go on once the program is ended, so that
// values that came before the end are still written.
const patience = 300 * time.Millisecond

// query writes the jq expression's results for a value, one per line.
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

// resultLine returns a result of a jq expression as JSON, or as an error if it is one.
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
