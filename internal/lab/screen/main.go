// Command screen draws what commands have written to a terminal as an SVG, for the
// documentation:
//
//	go run ./internal/lab/screen <lines.txt >docs/listen.svg
//
// A line that begins with "$ " is what somebody has typed. Lines that are too long are
// cut.
package main

import (
	"bufio"
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

const (
	columns    = 96
	charWidth  = 78 // of a monospaced font of 13 px, in tenths of a pixel
	lineHeight = 19
	margin     = 16
	bar        = 28 // of the window
)

func main() {
	if err := draw(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "screen:", err)
		os.Exit(1)
	}
}

// draw draws the lines of in.
func draw(in io.Reader, out io.Writer) error {
	var lines []string
	scanner := bufio.NewScanner(in)
	for scanner.Scan() {
		lines = append(lines, cut(strings.ReplaceAll(scanner.Text(), "\t", "    ")))
	}
	if err := scanner.Err(); err != nil {
		return err
	}
	width, height := columns*charWidth/10+2*margin, bar+len(lines)*lineHeight+2*margin
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img">`+"\n", width, height, width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" rx="8" fill="#16181d"/>`+"\n", width, height)
	for i, colour := range []string{"#ff5f57", "#febc2e", "#28c840"} {
		fmt.Fprintf(&b, `<circle cx="%d" cy="%d" r="5" fill="%s"/>`+"\n", margin+i*18, bar/2+3, colour)
	}
	b.WriteString(`<g font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,monospace" font-size="13" xml:space="preserve">` + "\n")
	for i, line := range lines {
		fmt.Fprintf(&b, `<text x="%d" y="%d" fill="%s">`, margin, bar+margin+i*lineHeight+lineHeight/2, colourOf(line))
		if err := xml.EscapeText(&b, []byte(line)); err != nil {
			return err
		}
		b.WriteString("</text>\n")
	}
	b.WriteString("</g>\n</svg>\n")
	_, err := io.WriteString(out, b.String())
	return err
}

// cut returns a line that fits on the screen.
func cut(line string) string {
	if utf8.RuneCountInString(line) <= columns {
		return line
	}
	return string([]rune(line)[:columns-1]) + "…"
}

// colourOf returns the colour of a line: one for commands, one for what deserves
// attention, one for messages, and one for the rest.
func colourOf(line string) string {
	switch {
	case strings.HasPrefix(line, "$ "):
		return "#ffffff"
	case strings.Contains(line, "lost the connection"), strings.Contains(line, " gap "):
		return "#febc2e"
	case strings.Contains(line, "message:"):
		return "#9ecbff"
	default:
		return "#9aa4b2"
	}
}
