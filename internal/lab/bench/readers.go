package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/coder/websocket"
)

// A frame reader reads the frames of a stream and passes on each payload.
type frameReader func(ctx context.Context, conn *websocket.Conn, each func(frame []byte) error) error

// readAll takes each frame as websocket.Conn.Read gives it, in memory of its own.
func readAll(ctx context.Context, conn *websocket.Conn, each func(frame []byte) error) error {
	for {
		_, frame, err := conn.Read(ctx)
		if err != nil {
			return err
		}
		if err := each(frame); err != nil {
			return err
		}
	}
}

// readReused reads each frame into the same buffer. It is the floor: nobody
// gets frames from this WebSocket library for less.
func readReused(ctx context.Context, conn *websocket.Conn, each func(frame []byte) error) error {
	buf := make([]byte, 4<<10)
	for {
		_, r, err := conn.Reader(ctx)
		if err != nil {
			return err
		}
		n := 0
		for err == nil {
			if n == len(buf) {
				buf = append(buf, make([]byte, len(buf))...)
			}
			var m int
			m, err = r.Read(buf[n:])
			n += m
		}
		if !errors.Is(err, io.EOF) {
			return err
		}
		if err := each(buf[:n]); err != nil {
			return err
		}
	}
}

// errLast ends the reading of a stream.
var errLast = errors.New("the last event came")

// readStream reads a stream of bare frames to its end and checks that it was
// complete.
func readStream(ctx context.Context, url string, load workload, read frameReader, each func(frame []byte) error) error {
	conn, _, err := websocket.Dial(ctx, url+load.path()+"/frames", nil) //nolint:bodyclose // the connection owns it
	if err != nil {
		return err
	}
	defer func() { _ = conn.CloseNow() }()
	conn.SetReadLimit(64 << 20)
	count := 0
	last := []byte(`42["` + lastEvent)
	err = read(ctx, conn, func(frame []byte) error {
		if bytes.HasPrefix(frame, last) {
			return errLast
		}
		count++
		return each(frame)
	})
	if !errors.Is(err, errLast) {
		return err
	}
	return complete(count, load)
}

func complete(count int, load workload) error {
	if count != load.Events {
		return fmt.Errorf("%d events came of %d", count, load.Events)
	}
	return nil
}

func ignore([]byte) error { return nil }

// message is what programs without a library decode a message into.
type message struct {
	WebsiteID   string  `json:"website_id"`
	SessionID   string  `json:"session_id"`
	InboxID     *string `json:"inbox_id"`
	Type        string  `json:"type"`
	From        string  `json:"from"`
	Origin      string  `json:"origin"`
	Content     any     `json:"content"`
	Fingerprint int64   `json:"fingerprint"`
	Stamped     bool    `json:"stamped"`
	Timestamp   int64   `json:"timestamp"`
	User        struct {
		Type     string `json:"type"`
		UserID   string `json:"user_id"`
		Nickname string `json:"nickname"`
		Avatar   string `json:"avatar"`
	} `json:"user"`
}

// decodeMessage is encoding/json's work on a frame: the payload is decoded
// once, in place.
func decodeMessage(frame []byte) error {
	payload := bytes.TrimPrefix(frame, []byte(`42["message:send",`))
	return json.Unmarshal(payload[:len(payload)-len("]")], new(message))
}
