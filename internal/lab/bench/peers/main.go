// Peers reads a stream with a Socket.IO client for Go that somebody else wrote,
// for internal/lab/bench. It is a module of its own, because of these clients.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/crisp-go/crisp/internal/lab/bench/reading"
)

// clients are what the first argument chooses from.
var clients = map[string]func(context.Context, reading.Task, *reading.Log) error{
	"zishang520": readZishang,
	"googollee":  readGoogollee,
}

// authentication is what each client sends to be let in.
var authentication = map[string]any{"tier": "user", "username": "bench", "password": "bench", "events": []string{
	message, reading.LastEvent,
}}

const message = "message:send"

var errUsage = errors.New("usage: peers CLIENT TASK")

func main() {
	if len(os.Args) != 3 || clients[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, errUsage)
		os.Exit(2)
	}
	reading.Run(clients[os.Args[1]])
}
