package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha1" //nolint:gosec // the WebSocket handshake asks for it
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"
)

// serve is the child process that sends streams. It prints its URL and runs
// until its standard input ends, as it does when the parent process dies.
func serve() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: streamRoutes(), ReadHeaderTimeout: time.Minute}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	context.AfterFunc(ctx, func() { _ = server.Close() })
	fmt.Printf("http://%s\n", listener.Addr())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// streamRoutes is a Crisp that sends the workload named by the URL: bare frames
// at /frames, a session at /rtm/, whose endpoint the REST routes tell.
func streamRoutes() http.Handler {
	const prefix = "GET /{event}/{size}/{events}/{rate}"
	mux := http.NewServeMux()
	mux.HandleFunc(prefix+"/v1/user/connect/endpoints", endpoints)
	mux.HandleFunc(prefix+"/frames", streaming(func(net.Conn, *bufio.Reader) error { return nil }))
	mux.HandleFunc(prefix+"/rtm/", streaming(openSession))
	return mux
}

func endpoints(w http.ResponseWriter, r *http.Request) {
	load, err := workloadOf(r.PathValue)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	app := "ws://" + r.Host + load.path() + "/rtm/"
	_ = json.NewEncoder(w).Encode(map[string]any{
		"error": false, "reason": "resolved", "data": map[string]any{"socket": map[string]string{"app": app}},
	})
}

// streaming answers a WebSocket request with a workload, after an opening.
func streaming(open func(net.Conn, *bufio.Reader) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		load, err := workloadOf(r.PathValue)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		conn, buffered, err := upgrade(w, r)
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		if open(conn, buffered.Reader) != nil || send(conn, load) != nil {
			return
		}
		_, _ = io.Copy(io.Discard, buffered.Reader) // until the client hangs up
	}
}

// upgrade answers a WebSocket request and returns the bare connection, which
// costs the server next to nothing per frame.
func upgrade(w http.ResponseWriter, r *http.Request) (net.Conn, *bufio.ReadWriter, error) {
	const guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
	accept := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + guid)) //nolint:gosec // as RFC 6455 says
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, nil, err
	}
	_, err = fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Accept: %s\r\n\r\n", base64.StdEncoding.EncodeToString(accept[:]))
	return conn, buffered, err
}

// openSession does the handshakes of Engine.IO 4 and Socket.IO, and accepts
// any credentials.
func openSession(conn net.Conn, r *bufio.Reader) error {
	const open = `0{"sid":"bench","upgrades":[],"pingInterval":60000,"pingTimeout":60000,"maxPayload":1000000}`
	// The client answers each but the last: with the connect packet, and with
	// its credentials.
	for _, packet := range []string{open, `40{"sid":"bench"}`} {
		if _, err := conn.Write(textFrame(packet)); err != nil {
			return err
		}
		if err := discardFrame(r); err != nil {
			return err
		}
	}
	_, err := conn.Write(textFrame(eventPacket("authenticated", "true")))
	return err
}

// discardFrame reads a frame of at most 64 KiB from a client.
func discardFrame(r *bufio.Reader) error {
	const lengthBits, len16, mask = 0x7f, 126, 4
	var header [4]byte
	if _, err := io.ReadFull(r, header[:2]); err != nil {
		return err
	}
	length := int(header[1] & lengthBits)
	if length == len16 {
		if _, err := io.ReadFull(r, header[2:]); err != nil {
			return err
		}
		length = int(header[2])<<8 | int(header[3])
	}
	_, err := r.Discard(mask + length)
	return err
}

// send writes the stream.
func send(conn net.Conn, load workload) error {
	frames := load.encode()
	var err error
	if load.Rate > 0 {
		err = sendPaced(conn, load, frames)
	} else {
		err = sendAll(conn, load.Events, frames)
	}
	if err != nil {
		return err
	}
	last := fmt.Sprintf(`{"website_id":%q,"session_id":%q}`, websiteID, sessionID(0))
	_, err = conn.Write(textFrame(eventPacket(lastEvent, last)))
	return err
}

// sendAll writes as fast as the client reads.
func sendAll(conn net.Conn, events int, frames [][]byte) error {
	chunk := bytes.Join(frames, nil)
	for ; events >= len(frames); events -= len(frames) {
		if _, err := conn.Write(chunk); err != nil {
			return err
		}
	}
	_, err := conn.Write(bytes.Join(frames[:events], nil))
	return err
}
