package capture_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/cmd/crisp/internal/capture"
	"github.com/crisp-go/crisp/cmd/crisp/internal/record"
	"github.com/crisp-go/crisp/crisptest"
)

var at = time.Date(2026, 3, 14, 15, 9, 26, 535e6, time.UTC)

func event(t testing.TB, name, payload string) *record.Event {
	ev, err := crisp.Decode(name, []byte(payload))
	require.NoError(t, err)
	ev.EventMeta().Source = crisp.SourceRTM
	return record.FromRTM(ev)
}

func sample(t testing.TB, name string) *record.Event {
	payload, err := json.Marshal(crisptest.Sample(name))
	require.NoError(t, err)
	return event(t, name, string(payload))
}

type buffer struct{ bytes.Buffer }

func (*buffer) Close() error { return nil }

func write(t testing.TB, o capture.Options, what ...record.What) string {
	var b buffer
	w, err := capture.NewWriter(&b, o)
	require.NoError(t, err)
	for i, what := range what {
		require.NoError(t, w.Write(record.Record{N: uint64(i + 1), At: at, What: what}))
	}
	return b.String()
}

// read returns the records of a capture, and the notes of what was left out.
func read(t testing.TB, text string) (records []record.Record, notes []string) {
	r, err := capture.NewReader(strings.NewReader(text))
	require.NoError(t, err)
	for {
		rec, err := r.Next()
		var note *capture.NoteError
		switch {
		case errors.Is(err, io.EOF):
			return records, notes
		case errors.As(err, &note):
			notes = append(notes, err.Error())
		default:
			require.NoError(t, err)
			records = append(records, rec)
		}
	}
}

// What is written comes back, events byte for byte.
func TestRoundTrip(t *testing.T) {
	what := []record.What{
		&record.Connected{Endpoint: "127.0.0.1:1", Attempt: 2, TookMS: 12},
		&record.Lost{Reason: "a\x1b[2Jb", LivedMS: 5},
		&record.Retrying{Attempt: 1, DelayMS: 3, Reason: "r"},
		&record.Gap{From: at, To: at.Add(time.Second), Reason: "disconnected"},
		&record.Recovered{From: at, To: at, Messages: 1, Conversations: 1, Complete: true},
		&record.Dropped{Count: 3, Reason: "r"},
		&record.Delivery{Of: 1, Event: "message:send", Target: "http://127.0.0.1/", Attempt: 1, Limit: 5, Outcome: record.Accepted, Status: 200},
	}
	for _, info := range crisp.Events() {
		what = append(what, sample(t, info.Name))
	}
	records, notes := read(t, write(t, capture.Options{Now: at}, what...))
	assert.Empty(t, notes)
	require.Len(t, records, len(what))
	for i, r := range records {
		assert.Equal(t, uint64(i+1), r.N)
		assert.True(t, at.Equal(r.At))
		if want, ok := what[i].(*record.Event); ok {
			got := r.What.(*record.Event)
			assert.Equal(t, string(want.Body), string(got.Body))
			assert.Equal(t, want.Name(), got.Name())
			assert.Equal(t, want.Conversation(), got.Conversation())
			assert.Equal(t, crisp.SourceRTM, got.Event.EventMeta().Source)
			continue
		}
		assert.Equal(t, what[i], r.What)
	}
}

// Bodies that can't stand in a line as they are come back all the same.
func TestBodiesAreByteEqual(t *testing.T) {
	deep := strings.Repeat("[", 9998) + strings.Repeat("]", 9998)
	for name, payload := range map[string]string{
		"plain":            `{"session_id":"s","content":"Où? <b>&"}`,
		"white space":      "{\n\t\"session_id\" : \"s\"\r\n}",
		"escapes":          `{"content":"\u00e9\/\ud83d\ude00"}`,
		"numbers":          `{"fingerprint":1.0e2,"n":12345678901234567890}`,
		"controls":         "{\"content\":\"\u009b31m \u202e\u2028\x7f\"}",
		"not UTF-8":        "{\"content\":\"\xff\xfe\"}",
		"twice":            `{"a":1,"a":2}`,
		"nested deeply":    `{"content":` + deep + `}`,
		"looks like ours":  `{"envelope":1,"kind":"x","capture":9}`,
		"lonely surrogate": `{"content":"\ud800"}`,
	} {
		ev := event(t, "message:send", payload)
		text := write(t, capture.Options{}, ev)
		assertHarmless(t, text)
		records, notes := read(t, text)
		assert.Empty(t, notes, name)
		require.Len(t, records, 1, name)
		assert.Equal(t, string(ev.Body), string(records[0].What.(*record.Event).Body), name)
	}
}

func assertHarmless(t testing.TB, text string) {
	for line := range strings.Lines(text) {
		assert.True(t, json.Valid([]byte(line)), "%.200s", line)
		for _, r := range strings.TrimSuffix(line, "\n") {
			if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == unicode.ReplacementChar {
				t.Errorf("%q holds %U", line, r)
				return
			}
		}
	}
}

func FuzzBodies(f *testing.F) {
	f.Add("message:send", []byte(`{"content":"x"}`), "")
	f.Add("a\x1b:b", []byte("[1,\n\"\x9b\"]"), " \n")
	f.Fuzz(func(t *testing.T, name string, payload []byte, around string) {
		if strings.Trim(around, " \t\r\n") != "" || name == "" {
			return
		}
		ev, err := crisp.Decode(name, payload)
		if err != nil {
			return
		}
		rec := record.FromRTM(ev)
		rec.Body = []byte(around + string(rec.Body) + around)
		if _, err := record.Parse(rec.Body); err != nil {
			return // as the payload of a web hook it would be nested too deeply
		}
		text := write(t, capture.Options{}, rec)
		assertHarmless(t, text)
		records, notes := read(t, text)
		assert.Empty(t, notes)
		require.Len(t, records, 1)
		assert.Equal(t, string(rec.Body), string(records[0].What.(*record.Event).Body))
		redacted := write(t, capture.Options{Redact: true}, rec)
		assertHarmless(t, redacted)
		read(t, redacted)
	})
}

func FuzzReader(f *testing.F) {
	f.Add(write(f, capture.Options{Now: at}, sample(f, "message:send"), &record.Gap{}))
	f.Add("{\"capture\":1}\n{\"kind\":\"event\",\"envelope\":{}}\n{\"n\":")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := capture.NewReader(strings.NewReader(text))
		if err != nil {
			return
		}
		for range strings.Count(text, "\n") + 3 {
			_, err := r.Next()
			var note *capture.NoteError
			if err != nil && !errors.As(err, &note) {
				return
			}
		}
		t.Fatal("the reader doesn't end")
	})
}

func TestReaderTellsWhatIsWrong(t *testing.T) {
	const heading = `{"capture":1}` + "\n"
	good := `{"n":1,"at":"2026-03-14T15:09:26Z","kind":"dropped","count":3,"reason":"r"}` + "\n"
	for _, c := range []struct {
		text, want string
	}{
		{"", "it is empty"},
		{"hello\n", "line 1: it is no capture"},
		{`{"capture":2}` + "\n", "line 1: a capture of version 2: this program reads version 1"},
		{heading + "{\n" + good, "line 2: no JSON"},
		{heading + good + `{"n":"x","kind":"dropped"}` + "\n", "line 3: a record with n of the wrong type"},
		{heading + `{"kind":"event"}` + "\n", "line 2: event: it has no envelope"},
		{heading + `{"kind":"event","envelope":{"event":"message:send"}}` + "\n", "line 2: event: the envelope: it has no event, or no data"},
		{heading + good + heading + `{"capture":7}` + "\n", "line 4: a capture of version 7"},
	} {
		r, err := capture.NewReader(strings.NewReader(c.text))
		for err == nil {
			_, err = r.Next()
		}
		assert.ErrorContains(t, err, c.want)
	}
}

// A line of a kind that is not known yet, and one that a program was killed at, are
// told of and left out.
func TestReaderGoesOn(t *testing.T) {
	const heading = `{"capture":1}` + "\n"
	good := `{"n":1,"at":"2026-03-14T15:09:26Z","kind":"dropped","count":3,"reason":"r"}` + "\n"
	records, notes := read(t, heading+`{"n":1,"kind":"party"}`+"\n"+good+`{"n":2,"ki`+"\n"+heading+good+"\n"+`{"n":`)
	assert.Len(t, records, 2)
	assert.Equal(t, []string{
		`line 2: a record of kind "party", which this version doesn't know, is left out`,
		"line 4: it was cut off, and is left out",
		"line 8: it was cut off, and is left out",
	}, notes)
}

func TestCreate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.jsonl")
	for range 2 {
		w, err := capture.Create(path, capture.Options{})
		require.NoError(t, err)
		require.NoError(t, w.Write(record.Record{What: &record.Dropped{Count: 1}}))
		require.NoError(t, w.Close())
		assert.Error(t, w.Write(record.Record{What: &record.Dropped{}}))
		file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		require.NoError(t, err)
		_, err = file.WriteString(`{"n":2,"at"`) // as if it was killed
		require.NoError(t, err)
		require.NoError(t, file.Close())
	}
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	records, notes := read(t, string(text))
	assert.Len(t, records, 2)
	assert.Len(t, notes, 2)

	other := filepath.Join(t.TempDir(), "notes.txt")
	require.NoError(t, os.WriteFile(other, []byte("dear diary\n"), 0o600))
	_, err = capture.Create(other, capture.Options{})
	assert.ErrorContains(t, err, "no capture that could be appended to")
	text, err = os.ReadFile(other)
	require.NoError(t, err)
	assert.Equal(t, "dear diary\n", string(text))
}

type full struct {
	buffer
	left int
}

func (f *full) Write(b []byte) (int, error) {
	if f.left -= len(b); f.left < 0 {
		n, _ := f.buffer.Write(b[:3])
		return n, errors.New("no space left on device")
	}
	return f.buffer.Write(b)
}

// Behind half a line nothing follows, lest two lines become one that makes no sense.
func TestWriterStopsWhenTheDiskIsFull(t *testing.T) {
	disk := &full{left: 200}
	w, err := capture.NewWriter(disk, capture.Options{})
	require.NoError(t, err)
	rec := record.Record{What: &record.Lost{Reason: strings.Repeat("x", 90)}}
	for err == nil {
		err = w.Write(rec)
	}
	assert.ErrorContains(t, err, "writing the capture: no space left on device")
	length := disk.Len()
	disk.left = 1 << 20
	assert.Error(t, w.Write(rec))
	assert.Equal(t, length, disk.Len())
}

// No text that a sample has from people is in its redacted form, and all that says
// what it is and where it belongs stays.
func TestRedact(t *testing.T) {
	var all strings.Builder
	for _, info := range crisp.Events() {
		ev := sample(t, info.Name)
		redacted := capture.Redact(ev.Body)
		all.Write(redacted)
		back, err := record.Parse(redacted)
		require.NoError(t, err)
		assert.Equal(t, ev.Name(), back.Name())
		assert.Equal(t, ev.Conversation(), back.Conversation())
		assert.Empty(t, back.Event.EventMeta().Problems, "%s", redacted)
		assert.Equal(t, string(redacted), string(capture.Redact(redacted)))
	}
	for _, word := range []string{"camille", "Camille", "jonas", "Jonas", "warehouse", "Where", "Mozilla", "@nova", "https://nova", "+33"} {
		assert.NotContains(t, all.String(), word)
	}
	for in, want := range map[string]string{
		`{"event":"message:send","data":{"content":"Call me: +33 6 12, Zoë!\n","from":"user"}}`: `{"event":"message:send","data":{"content":"xxxx xx: +00 0 00, xxx!x","from":"user"}}`,
		`{"data":{"from":"zoe@mail.example","type":"my secret"}}`:                               `{"data":{"from":"xxx@xxxx.xxxxxxx","type":"xx xxxxxx"}}`,
		`{"data":{"data":{"type":"gold","age":42,"vip":true},"user_id":"a"}}`:                   `{"data":{"data":{"type":"xxxx","age":0,"vip":true},"user_id":"a"}}`,
		`{"data":{"url":"https://a.example/b?c=1"}, "timestamp":12}`:                            `{"data":{"url":"https://x.xxxxxxx/x?x=0"}, "timestamp":12}`,
		`{"data":["a"],"extra":{"x":"b","n":-1.5}}`:                                             `{"data":["x"],"extra":{"x":"x","n":0}}`,
		`{"data":{"token":"9b7d2c64-0e1f-4a53-8c6d-31f5a2e80b97"}}`:                             `{"data":{"token":"0x0x0x00-0x0x-0x00-0x0x-00x0x0x00x00"}}`,
		`no JSON`: `{}`,
	} {
		assert.Equal(t, want, string(capture.Redact([]byte(in))))
	}
}

// The end of a capture is read with the runs that its records are of, whoever wrote
// them.
func TestTail(t *testing.T) {
	path := filepath.Join(t.TempDir(), "capture.jsonl")
	read := func(bytes int64) (ids []string, err error) {
		err = capture.Tail(path, bytes, func(run string, r record.Record) { ids = append(ids, fmt.Sprint(run, "-", r.N)) })
		return ids, err
	}
	none, err := read(1 << 20)
	require.NoError(t, err, "there is no file yet")
	assert.Empty(t, none)
	var length int64
	for _, run := range []string{"first", "", "with\x1bcontrols", "last"} {
		w, err := capture.Create(path, capture.Options{Run: run})
		require.NoError(t, err)
		for n := range uint64(3) {
			require.NoError(t, w.Write(record.Record{N: n + 1, What: &record.Dropped{Count: 1}}))
		}
		require.NoError(t, w.Close())
		info, err := os.Stat(path)
		require.NoError(t, err)
		length = info.Size()
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	_, err = file.WriteString(`{"n":4,"at":"2026-`) // the program was killed
	require.NoError(t, err)
	require.NoError(t, file.Close())
	all, err := read(length * 2)
	require.NoError(t, err)
	assert.Equal(t, []string{
		"first-1", "first-2", "first-3", "line5-1", "line5-2", "line5-3", "line9-1", "line9-2", "line9-3", "last-1", "last-2", "last-3",
	}, all)
	some, err := read(200)
	require.NoError(t, err)
	assert.NotEmpty(t, some)
	assert.Less(t, len(some), 4)
	assert.Equal(t, all[len(all)-len(some):], some)
	require.NoError(t, os.WriteFile(path, []byte("no capture\n"), 0o600))
	_, err = read(1 << 20)
	assert.ErrorContains(t, err, "it is no capture")
}
