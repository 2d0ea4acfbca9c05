package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"unicode"
)

// contestant is a client that reads a stream in a process of its own.
type contestant struct {
	name   string
	task   task
	script string // of Node; empty = this program
}

// floor is the bare reader that all others are compared with.
func floor(load workload) contestant {
	return contestant{name: "bare coder/websocket, `Conn.Reader`, buffer reused", task: task{Reader: "reader", Load: load}}
}

func library(name string, load workload, s setup) contestant {
	return contestant{name: name, task: task{Reader: "crisp", Load: load, Setup: s}}
}

// run runs the client once.
func (c contestant) run(ctx context.Context, b bench) (usage, error) {
	c.task.URL = b.server
	if b.profiles != "" {
		c.task.Profile = filepath.Join(b.profiles, fileName(c.name)+".prof")
	}
	encoded, err := json.Marshal(c.task)
	if err != nil {
		return usage{}, err
	}
	cmd := exec.CommandContext(ctx, os.Args[0], "client", string(encoded)) //nolint:gosec // this program
	if c.script != "" {
		cmd = exec.CommandContext(ctx, "node", filepath.Join(nodeFolder, c.script), string(encoded)) //nolint:gosec // a script of ours
	}
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return usage{}, fmt.Errorf("%s: %w", c.name, err)
	}
	var u usage
	if err := json.Unmarshal(out, &u); err != nil {
		return usage{}, fmt.Errorf("%s said %q: %w", c.name, out, err)
	}
	return u, nil
}

const nodeFolder = "node"

// prepareNode reports whether the contestants that run on Node can take part, and
// installs what they need.
func prepareNode(ctx context.Context) bool {
	if _, err := os.Stat(filepath.Join(nodeFolder, "node_modules")); err == nil {
		return true
	}
	cmd := exec.CommandContext(ctx, "npm", "ci", "--silent")
	cmd.Dir = nodeFolder
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "without Node's contestants:", strings.TrimSpace(err.Error()))
		return false
	}
	return true
}

// fileName turns a title into something that file systems and shells like.
func fileName(title string) string {
	return strings.Join(strings.FieldsFunc(title, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }), "-")
}
