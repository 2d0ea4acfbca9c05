// Diagram draws an SVG picture of boxes and arrows from a text, so that the
// picture is changed by changing the text.
//
//	go run ./internal/lab/diagram < docs/architecture.txt > docs/architecture.svg
//	go run ./internal/lab/diagram -o docs/architecture.svg docs/architecture.txt
//
// The text has a statement a line, and may have empty lines and comments:
//
//	# Boxes stand in a grid: column,row, both from 1. Up to three lines of text
//	# follow, indented.
//	title For those who can't see it
//	box queue 3,2 delivery.Queue
//	    bounded in bytes
//	box router 3-4,3 Router              over columns 3 and 4
//	outside socket 3,1 RTM socket        what is not of this project
//
//	# A frame surrounds boxes that stand together.
//	frame queue router: on this side
//
//	# An arrow is straight, or has one bend: -|> goes across first, |-> goes up or
//	# down first. A slash with a space on both sides breaks its label in two.
//	socket -> queue: frames
//	router -|> socket: answers / and questions
//
// What is named stands above. Text that doesn't fit, and whatever would lie upon
// something else, is an error.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

//go:generate go run . -o ../../../docs/architecture.svg ../../../docs/architecture.txt

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "diagram:", err)
		os.Exit(1)
	}
}

func run(args []string, stdin io.Reader, stdout io.Writer) error {
	flags := flag.NewFlagSet("diagram", flag.ContinueOnError)
	out := flags.String("o", "", "the file to write, instead of standard output")
	if err := flags.Parse(args); err != nil {
		return err
	}
	input, err := read(flags.Args(), stdin)
	if err != nil {
		return err
	}
	svg, err := draw(input)
	if err != nil {
		return err
	}
	if *out == "" {
		_, err = io.WriteString(stdout, svg)
		return err
	}
	return os.WriteFile(*out, []byte(svg), 0o644) //nolint:gosec // a picture is for all to see
}

func read(args []string, stdin io.Reader) (string, error) {
	var (
		input []byte
		err   error
	)
	switch len(args) {
	case 0:
		input, err = io.ReadAll(stdin)
	case 1:
		input, err = os.ReadFile(args[0])
	default:
		err = fmt.Errorf("%d arguments: at most one is needed, the file to read", len(args))
	}
	return string(input), err
}

// draw makes an SVG of a text.
func draw(input string) (string, error) {
	d, err := parse(input)
	if err != nil {
		return "", err
	}
	d.place()
	if err := d.check(); err != nil {
		return "", err
	}
	return d.svg(), nil
}
