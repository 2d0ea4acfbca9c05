package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"github.com/crisp-go/crisp/internal/lab/bench/reading"
)

// lastEvent ends every stream, so that a client that has no handler for the
// others knows when it has read them all.
const lastEvent = reading.LastEvent

// workload is the stream that a server sends to each client.
type workload struct {
	Event  string // its name on the wire
	Size   int    // of a payload, in bytes
	Events int    // before the last event
	Rate   int    // events per second; 0 = as fast as the client reads
}

// path names the workload in URLs, which tell the server what to send.
func (w workload) path() string {
	return fmt.Sprintf("/%s/%d/%d/%d", w.Event, w.Size, w.Events, w.Rate)
}

// workloadOf reads the elements of a path.
func workloadOf(element func(name string) string) (workload, error) {
	w := workload{Event: element("event")}
	for name, field := range map[string]*int{"size": &w.Size, "events": &w.Events, "rate": &w.Rate} {
		n, err := strconv.Atoi(element(name))
		if err != nil || n < 0 {
			return workload{}, fmt.Errorf("%s is %q: want a number", name, element(name))
		}
		*field = n
	}
	return w, nil
}

// How many different events a stream repeats: enough that no cache knows them
// all, in chunks small enough to be encoded beforehand.
const (
	distinctEvents = 512
	chunkBytes     = 1 << 20
)

// encode returns the frames of a chunk that the server repeats.
func (w workload) encode() [][]byte {
	frames := make([][]byte, max(1, min(distinctEvents, chunkBytes/w.Size)))
	for i := range frames {
		frames[i] = textFrame(eventPacket(w.Event, w.payload(i)))
	}
	return frames
}

func (w workload) payload(i int) string {
	if w.Event == "session:sync:pages" {
		return pagesPayload(i, w.Size)
	}
	return messagePayload(i, w.Size)
}

func sessionID(i int) string {
	return fmt.Sprintf("session_9b7d2c64-0e1f-4a53-8c6d-%012x", i*7919)
}

const websiteID = "f3c1a7e5-92d4-4b86-a1c0-7d2e9f4b6038"

// fingerprintDigits is how long each fingerprint is: long enough for a time in
// microseconds, which the paced server puts there.
const fingerprintDigits = 16

// messagePayload is a message of a visitor, cut down to what is required if it
// has to be small.
func messagePayload(i, size int) string {
	const small = 450
	head := fmt.Sprintf(`{"website_id":%q,"session_id":%q,"type":"text","fingerprint":%0*d,"timestamp":1773569824159,`,
		websiteID, sessionID(i), fingerprintDigits, 1_773_569_824_159_000+i)
	if size >= small {
		head += fmt.Sprintf(`"from":"user","origin":"chat","inbox_id":null,"stamped":true,"user":{"type":"participant",`+
			`"nickname":"Camille Example","user_id":%q,"avatar":"https://example.com/avatar/camille.png"},`, sessionID(i))
	}
	return head + `"content":"` + prose(i, size-len(head)-len(`"content":""}`)) + `"}`
}

// pagesPayload is a session:sync:pages of as many pages as fit: many small
// values, where a large message is a single one.
func pagesPayload(i, size int) string {
	var b strings.Builder
	fmt.Fprintf(&b, `{"website_id":%q,"session_id":%q,"pages":[`, websiteID, sessionID(i))
	for page := 0; page == 0 || b.Len() < size-len(`]}`); page++ {
		if page > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"page_title":"Lamps, page %d","page_url":"https://example.com/lamps?page=%d",`+
			`"page_referrer":"https://example.com/","timestamp":%d}`, page, page, 1_773_569_824_159+page)
	}
	b.WriteString(`]}`)
	return b.String()
}

// prose is text of a length in bytes, with an escape and a letter beyond ASCII
// once in a while, as people write.
func prose(i, size int) string {
	const text = `Hello! I ordered three lamps last week, and two of them came without a bulb. Could you send me the ` +
		`missing ones, or tell me where I can find them? I would need them for the café by Friday.\nThank you! `
	if size <= 0 {
		return ""
	}
	start := i % 40
	long := strings.Repeat(text, 1+(size+start)/len(text))[start:]
	cut := long[:size]
	for strings.HasSuffix(cut, `\`) || cut[len(cut)-1] >= 0x80 { // not within an escape or a letter
		cut = cut[:len(cut)-1]
	}
	return cut + strings.Repeat(".", size-len(cut))
}

func eventPacket(name, payload string) string { return fmt.Sprintf(`42[%q,%s]`, name, payload) }

// textFrame is a WebSocket text frame as a server sends it.
func textFrame(text string) []byte {
	const text1, len16, len64 = 0x81, 126, 127
	frame := []byte{text1}
	switch {
	case len(text) < len16:
		frame = append(frame, byte(len(text)))
	case len(text) < 1<<16:
		frame = binary.BigEndian.AppendUint16(append(frame, len16), uint16(len(text)))
	default:
		frame = binary.BigEndian.AppendUint64(append(frame, len64), uint64(len(text)))
	}
	return append(frame, text...)
}

var fingerprintKey = []byte(`"fingerprint":`)

// fingerprintIn returns the place of a message's fingerprint, nil if it has none.
func fingerprintIn(frame []byte) []byte {
	at := bytes.Index(frame, fingerprintKey)
	if at < 0 {
		return nil
	}
	return frame[at+len(fingerprintKey):][:fingerprintDigits]
}
