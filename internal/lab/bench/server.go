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

// serve is the child process that sends streams. It listens at a free port and
// at the addresses, prints the URL of the former, and runs until its standard
// input ends, as it does when the parent process dies.
func serve(addresses []string) error {
	var listeners []net.Listener
	for _, address := range append([]string{"127.0.0.1:0"}, addresses...) {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			return err
		}
		listeners = append(listeners, listener)
	}
	server := &http.Server{Handler: streamRoutes(), ReadHeaderTimeout: time.Minute}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	context.AfterFunc(ctx, func() { _ = server.Close() })
	fmt.Printf("http://%s\n", listeners[0].Addr())
	ended := make(chan error, len(listeners))
	for _, listener := range listeners {
		go func() { ended <- server.Serve(listener) }()
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
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
	mux.HandleFunc(prefix+"/frames", streaming(func(*http.Request, net.Conn, *bufio.Reader) error { return nil }))
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
func streaming(open func(*http.Request, net.Conn, *bufio.Reader) error) http.HandlerFunc {
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
		if open(r, conn, buffered.Reader) != nil || send(conn, load) != nil {
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

// openSession does the handshakes of Engine.IO and Socket.IO, and accepts any
// credentials.
func openSession(req *http.Request, conn net.Conn, r *bufio.Reader) error {
	const open = `0{"sid":"bench","upgrades":[],"pingInterval":60000,"pingTimeout":60000,"maxPayload":1000000}`
	authenticated := eventPacket("authenticated", "true")
	protocol, slow := req.URL.Query().Get("EIO"), req.URL.Query().Has("slow")
	if protocol == "3" || slow {
		// Some clients register what hears the first packet only when they are
		// connected, and lose it if it comes at once.
		const deaf = 100 * time.Millisecond
		time.Sleep(deaf)
	}
	if protocol == "3" {
		// The official Go SDK loses what comes right behind the last of these, too:
		// it tells that it hears by binding.
		return errors.Join(ask(conn, r, open, "40"), ask(conn, r, authenticated))
	}
	if err := errors.Join(ask(conn, r, open), ask(conn, r, `40{"sid":"bench"}`)); err != nil {
		return err
	}
	_, err := conn.Write(textFrame(authenticated))
	return err
}

// ask sends packets, and waits for a frame of the client: how it connects, its
// credentials.
func ask(conn net.Conn, r *bufio.Reader, packets ...string) error {
	for _, packet := range packets {
		if _, err := conn.Write(textFrame(packet)); err != nil {
			return err
		}
	}
	return discardFrame(r)
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
