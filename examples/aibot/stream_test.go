package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// eventsOf reads a stream to its end.
func eventsOf(r io.Reader) ([]string, error) {
	s, all := newSSEReader(r), []string{}
	for {
		data, err := s.next()
		if err != nil {
			return all, err
		}
		all = append(all, string(data))
	}
}

func TestServerSentEvents(t *testing.T) {
	for name, tt := range map[string]struct {
		stream string
		want   []string
	}{
		"two":                {"data: a\n\ndata: b\n\n", []string{"a", "b"}},
		"CRLF":               {"data: a\r\n\r\ndata: b\r\n\r\n", []string{"a", "b"}},
		"CR":                 {"data: a\r\rdata: b\r\r", []string{"a", "b"}},
		"lines":              {"data: a\ndata: b\n\n", []string{"a\nb"}},
		"one blank goes":     {"data:a\n\ndata:  b \n\n", []string{"a", " b "}},
		"comments":           {": ping\n\n:\ndata: a\n: more\n\n", []string{"a"}},
		"other fields":       {"event: x\nid: 1\nretry: 5\ndata: a\ndatax: b\n\nevent: y\n\n", []string{"a"}},
		"a mark of UTF-8":    {"\xef\xbb\xbfdata: a\n\n", []string{"a"}},
		"cut in an event":    {"data: a\n\ndata: b\n", []string{"a"}},
		"cut in a line":      {"data: a\n\ndata: b", []string{"a"}},
		"empty data":         {"data\n\ndata:\n\ndata: a\n\n", []string{"a"}},
		"nothing":            {"", []string{}},
		"colons in the data": {"data: {\"a\": 1}\n\n", []string{`{"a": 1}`}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, r := range []io.Reader{strings.NewReader(tt.stream), iotest.OneByteReader(strings.NewReader(tt.stream))} {
				got, err := eventsOf(r)
				require.ErrorIs(t, err, io.EOF)
				assert.Equal(t, tt.want, got)
			}
		})
	}
}

func TestServerSentEventsAreBounded(t *testing.T) {
	for name, stream := range map[string]io.Reader{
		"a line":   io.MultiReader(strings.NewReader("data: "), forever("x")),
		"an event": forever("data: x\n"),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := eventsOf(stream)
			assert.ErrorIs(t, err, errSSETooLong)
		})
	}
}

// forever is a text again and again.
type forever string

func (f forever) Read(p []byte) (int, error) {
	n := 0
	for n+len(f) <= len(p) {
		n += copy(p[n:], f)
	}
	if n == 0 {
		n = copy(p, f)
	}
	return n, nil
}

func TestServerSentEventsReportWhatFailed(t *testing.T) {
	failed := errors.New("failed")
	_, err := eventsOf(io.MultiReader(strings.NewReader("data: a\n\n"), iotest.ErrReader(failed)))
	assert.ErrorIs(t, err, failed)
}

func FuzzServerSentEvents(f *testing.F) {
	for _, seed := range []string{"data: a\n\n", "data: a\r\n\r\n", "\xef\xbb\xbfdata:\r\rdata\n", ": x\ndata: a\ndata: b\r\n\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, stream string) {
		whole, err := eventsOf(strings.NewReader(stream))
		require.ErrorIs(t, err, io.EOF)
		bytewise, err := eventsOf(iotest.OneByteReader(strings.NewReader(stream)))
		require.ErrorIs(t, err, io.EOF)
		require.Equal(t, whole, bytewise, "however it comes")
		again, err := eventsOf(strings.NewReader(written(whole)))
		require.ErrorIs(t, err, io.EOF)
		require.Equal(t, whole, again, "what was read can be written")
	})
}

// written is a stream of events.
func written(events []string) string {
	var b strings.Builder
	for _, data := range events {
		b.WriteString("data: " + strings.ReplaceAll(data, "\n", "\ndata: ") + "\n\n")
	}
	return b.String()
}

const (
	hello  = `{"choices":[{"delta":{"role":"assistant","content":"Hello."},"finish_reason":null}],"usage":null}`
	stop   = `{"choices":[{"delta":{},"finish_reason":"stop"}]}`
	usage  = `{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3}}`
	done   = "[DONE]"
	called = `{"choices":[{"delta":{"content":null,"tool_calls":[{"index":0,"function":{"name":"hand_over","arguments":"{\"rea"}}]}}]}`
	more   = `{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"son\":\"why\"}"}},{"index":1,"function":{"name":"x"}}]},"finish_reason":"tool_calls"}]}`
)

func TestAnswersAreRead(t *testing.T) {
	for name, tt := range map[string]struct {
		events []string
		want   answer
	}{
		"a text":          {[]string{hello, stop, usage, done}, answer{text: "Hello.", tokens: 10, counted: true}},
		"without account": {[]string{hello, stop, done}, answer{text: "Hello.", tokens: 2}},
		"without an end":  {[]string{hello, stop}, answer{text: "Hello.", tokens: 2}},
		"a call":          {[]string{called, more, done}, answer{handOver: true, reason: "why", tokens: 9}},
		"both":            {[]string{hello, called, more, done}, answer{text: "Hello.", handOver: true, reason: "why", tokens: 11}},
		"without a reason": {[]string{`{"choices":[{"delta":{"tool_calls":[{"function":{"name":"hand_over","arguments":"why"}}]},"finish_reason":"stop"}]}`},
			answer{handOver: true, tokens: 4}},
		"an account that can't be": {[]string{hello, stop, `{"usage":{"prompt_tokens":-7,"completion_tokens":9}}`, done}, answer{text: "Hello.", tokens: 2}},
	} {
		t.Run(name, func(t *testing.T) {
			alive := 0
			got, err := readAnswer(strings.NewReader(written(tt.events)), func() { alive++ })
			require.NoError(t, err)
			assert.Equal(t, tt.want, got)
			assert.Positive(t, alive)
		})
	}
}

func TestHalfAnAnswerIsNone(t *testing.T) {
	for name, tt := range map[string]struct {
		events []string
		want   error
	}{
		"nothing":          {nil, errCut},
		"cut":              {[]string{hello}, errCut},
		"over too early":   {[]string{hello, done}, errCut},
		"no JSON":          {[]string{hello, "<html>"}, errGarbled},
		"another JSON":     {[]string{hello, `{"choices":"none"}`}, errGarbled},
		"an error":         {[]string{hello, `{"error":{"message":"you wrote: Hello"}}`}, errCut},
		"withheld":         {[]string{hello, `{"choices":[{"finish_reason":"content_filter"}]}`}, errFiltered},
		"empty":            {[]string{stop, done}, errEmpty},
		"an unknown tool":  {[]string{`{"choices":[{"delta":{"tool_calls":[{"function":{"name":"rm"}}]},"finish_reason":"tool_calls"}]}`}, errEmpty},
		"without any end":  {strings.Split(strings.Repeat(hello+"\n", 20_000), "\n"), errTooLong},
		"cut in a message": {[]string{hello, `{"choices":[{"delta":{"content":"and mo`}, errGarbled},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := readAnswer(strings.NewReader(written(tt.events)), func() {})
			require.ErrorIs(t, err, tt.want)
			assert.NotContains(t, err.Error(), "Hello")
			assert.Equal(t, answer{tokens: got.tokens, counted: got.counted}, got)
		})
	}
}

func FuzzAnswers(f *testing.F) {
	f.Add(written([]string{hello, stop, usage, done}))
	f.Add(written([]string{hello, called, more, done}))
	f.Add(written([]string{hello, `{"error":1}`}))
	f.Fuzz(func(t *testing.T, stream string) {
		a, err := readAnswer(strings.NewReader(stream), func() {})
		require.GreaterOrEqual(t, a.tokens, 0)
		if err == nil {
			require.True(t, a.text != "" || a.handOver)
		} else {
			require.Equal(t, answer{tokens: a.tokens, counted: a.counted}, a)
		}
	})
}

func TestWholeSentences(t *testing.T) {
	for text, want := range map[string]string{
		"One. Two. Thr":                "One. Two.",
		"One. Two.":                    "One. Two.",
		"これは一つ。これは二":                   "これは一つ。",
		"A. Then a very long sentence": "A. Then a very long …",
		"word":                         "word …",
		"":                             "",
	} {
		assert.Equal(t, want, wholeSentences(text))
	}
}

func TestTextsAreSplitWhereTheyMayBe(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		want []string
	}{
		"short":      {" Hello ", []string{"Hello"}},
		"empty":      {" \n", nil},
		"sentences":  {"One two. Three four. Five", []string{"One two. Three four.", "Five"}},
		"paragraphs": {"One two.\n\nThree. Four five", []string{"One two.", "Three. Four five"}},
		"words":      {"one two three four five six", []string{"one two three four", "five six"}},
		"no words":   {strings.Repeat("ä", 45), []string{strings.Repeat("ä", 20), strings.Repeat("ä", 20), "äääää"}},
		"too long":   {strings.Repeat("ä", 90), []string{strings.Repeat("ä", 20), strings.Repeat("ä", 20), strings.Repeat("ä", 18) + " …"}},
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, tt.want, split(tt.text, 20, 3)) })
	}
}

func FuzzSplit(f *testing.F) {
	f.Add("One. Two.\n\nThree four five", 9, 3)
	f.Fuzz(func(t *testing.T, text string, characters, most int) {
		characters, most = 3+(characters&0xff), 1+(most&7)
		parts := split(text, characters, most)
		require.LessOrEqual(t, len(parts), most)
		for _, part := range parts {
			require.NotEmpty(t, strings.TrimSpace(part))
			require.LessOrEqual(t, utf8.RuneCountInString(part), characters)
		}
		if without := strings.Join(strings.Fields(text), ""); utf8.RuneCountInString(text) <= characters {
			require.Equal(t, without, strings.Join(strings.Fields(fmt.Sprint(strings.Join(parts, " "))), ""))
		}
	})
}

func TestTheLedgerIsBounded(t *testing.T) {
	l := newLedger(3)
	for _, id := range []string{"a", "b", "c", "a", "d"} {
		account{ledger: l, ref: sessionRef(id)}.spend(1)
	}
	assert.Equal(t, 2, l.get(sessionRef("a")).Tokens)
	assert.Zero(t, l.get(sessionRef("b")).Tokens, "it was quiet for longest")
	assert.Len(t, l.all(), 3)
	assert.Len(t, l.entries, 3)
	l.forget(sessionRef("c"))
	assert.Len(t, l.all(), 2)
}
