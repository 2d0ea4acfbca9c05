package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
	"unicode"
)

// contestant is a client that reads a stream in a process of its own.
type contestant struct {
	name    string
	task    task
	command []string // that is given the task; empty = this program
	slow    bool     // reads only a part of the stream, for which its figures are multiplied
}

// floor is the bare reader that all others are compared with.
func floor(load workload) contestant {
	return contestant{name: "bare coder/websocket, `Conn.Reader`, buffer reused", task: task{Reader: "reader", Load: load}}
}

func library(name string, load workload, s setup) contestant {
	return contestant{name: name, task: task{Reader: "crisp", Load: load, Setup: s}}
}

// ours reports whether a contestant is the library, rather than a floor or a
// peer.
func (c contestant) ours() bool { return c.task.Reader == "crisp" || strings.HasPrefix(c.name, "**") }

// foreign reports whether a contestant is no program of this module.
func (c contestant) foreign() bool { return len(c.command) > 0 }

// run runs the client once.
func (c contestant) run(ctx context.Context, b bench) (usage, error) {
	const patience, parts = 2 * time.Minute, 4
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c.task.URL = cmp.Or(c.task.URL, b.server)
	if c.slow {
		c.task.Load.Events /= parts
	}
	c.task.Stream = c.task.URL + c.task.Load.path()
	if b.profiles != "" {
		c.task.Profile = filepath.Join(b.profiles, fileName(c.name)+".prof")
	}
	out, err := c.output(ctx)
	if err != nil {
		return usage{}, fmt.Errorf("%s: %w", c.name, err)
	}
	var u usage
	if err := json.Unmarshal(out, &u); err != nil {
		return usage{}, fmt.Errorf("%s said %q: %w", c.name, out, err)
	}
	if c.slow {
		u = u.Times(parts)
	}
	return u, nil
}

// output runs the process, and returns what it reports. Its error is the last
// line that it wrote about that.
func (c contestant) output(ctx context.Context) ([]byte, error) {
	encoded, err := json.Marshal(c.task)
	if err != nil {
		return nil, err
	}
	command := c.command
	if !c.foreign() {
		command = []string{os.Args[0], "client"}
	}
	var complaints bytes.Buffer
	cmd := exec.CommandContext(ctx, command[0], append(command[1:], string(encoded))...) //nolint:gosec // a program of ours
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err == nil {
		return out, nil
	}
	if ctx.Err() != nil {
		return nil, errors.New("it never came to an end")
	}
	lines := strings.Split(strings.TrimSpace(complaints.String()), "\n")
	return nil, errors.New(cmp.Or(lines[len(lines)-1], err.Error()))
}

// fileName turns a title into something that file systems and shells like.
func fileName(title string) string {
	return strings.Join(strings.FieldsFunc(title, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }), "-")
}
