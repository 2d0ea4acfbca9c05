package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// maxAnswer bounds the bytes of an answer, whatever the model was asked for.
const maxAnswer = 64 << 10

var (
	errCut      = errors.New("the model's answer was cut off")
	errGarbled  = errors.New("the model's stream is not what the API promises")
	errTooLong  = errors.New("the model's answer does not end")
	errEmpty    = errors.New("the model's answer is empty")
	errFiltered = errors.New("the model's answer was withheld by its content filter")
)

// answer is what a model has said to a question.
type answer struct {
	text     string
	handOver bool   // it asks for a person
	reason   string // why, if it says so
	tokens   int    // what it took, the question included
	counted  bool   // tokens is the model's own account
}

// chunk is an event of the stream.
type chunk struct {
	Choices []struct {
		Delta struct {
			Content   string `json:"content"`
			Reasoning string `json:"reasoning_content"`
			ToolCalls []struct {
				Index    int `json:"index"`
				Function struct {
					Name      string `json:"name"`
					Arguments string `json:"arguments"`
				} `json:"function"`
			} `json:"tool_calls"`
		} `json:"delta"`
		FinishReason string `json:"finish_reason"`
	} `json:"choices"`
	Usage struct {
		Prompt     int `json:"prompt_tokens"`
		Completion int `json:"completion_tokens"`
	} `json:"usage"`
	Error json.RawMessage `json:"error"`
}

// answerReader puts an answer together.
type answerReader struct {
	events *sseReader
	alive  func() // called at each token

	text, tool, arguments strings.Builder
	received              int // bytes, what is only thought included
	counted               int // tokens, by the last account
	finish                string
}

// readAnswer reads a streamed answer. With an error, the answer only says what it took:
// nothing is said that may be half an answer.
func readAnswer(body io.Reader, alive func()) (answer, error) {
	r := &answerReader{events: newSSEReader(body), alive: alive}
	err := r.read()
	a := answer{tokens: tokensOf(r.received)}
	if r.counted > 0 {
		a.tokens, a.counted = r.counted, true
	}
	if err != nil {
		return a, err
	}
	return r.finished(a)
}

// read reads events until the stream says that it is over. Once the answer has finished,
// only the account is missing, and can do so.
func (r *answerReader) read() error {
	for {
		data, err := r.events.next()
		switch {
		case err != nil && r.finish != "", err == nil && string(data) == "[DONE]":
			return nil
		case errors.Is(err, io.EOF):
			return errCut
		case err != nil:
			return err
		}
		if err := r.add(data); err != nil {
			return err
		}
	}
}

func (r *answerReader) add(data []byte) error {
	var c chunk
	if json.Unmarshal(data, &c) != nil { // its error would quote the answer
		return errGarbled
	}
	if len(c.Error) > 0 && string(c.Error) != "null" {
		return fmt.Errorf("the model has failed while it answered: %w", errCut)
	}
	if n := c.Usage.Prompt + c.Usage.Completion; c.Usage.Prompt >= 0 && c.Usage.Completion >= 0 && n > 0 {
		r.counted = n
	}
	if len(c.Choices) == 0 {
		return nil
	}
	choice := c.Choices[0]
	before := r.received
	r.text.WriteString(choice.Delta.Content)
	r.received += len(choice.Delta.Content) + len(choice.Delta.Reasoning)
	for _, call := range choice.Delta.ToolCalls {
		r.received += len(call.Function.Name) + len(call.Function.Arguments)
		if call.Index == 0 { // there is one tool, and calling it once is enough
			r.tool.WriteString(call.Function.Name)
			r.arguments.WriteString(call.Function.Arguments)
		}
	}
	if choice.FinishReason != "" {
		r.finish = choice.FinishReason
	}
	if r.received > before {
		r.alive()
	}
	if r.received > maxAnswer {
		return errTooLong
	}
	return nil
}

// finished returns the answer with what was said.
func (r *answerReader) finished(took answer) (answer, error) {
	a := took
	a.text = strings.TrimSpace(r.text.String())
	switch r.finish {
	case "":
		return took, errCut
	case "content_filter":
		return took, errFiltered
	case "length": // max_tokens: what was begun last is half-said
		a.text = wholeSentences(a.text)
	}
	if r.tool.String() == handOverTool {
		var arguments struct {
			Reason string `json:"reason"`
		}
		_ = json.Unmarshal([]byte(r.arguments.String()), &arguments) // it hands over, even without a reason
		a.handOver, a.reason = true, arguments.Reason
	}
	if a.text == "" && !a.handOver {
		return took, errEmpty
	}
	return a, nil
}

var endOfSentence = regexp.MustCompile(`[.!?](?:\s|$)|[。！？\n]`)

// wholeSentences cuts a text behind its last whole sentence, or else behind its last word.
func wholeSentences(text string) string {
	if ends := endOfSentence.FindAllStringIndex(text, -1); len(ends) > 0 {
		if end := ends[len(ends)-1][1]; end > len(text)/2 {
			return strings.TrimSpace(text[:end])
		}
	}
	if i := strings.LastIndexAny(text, " \n"); i > 0 {
		text = text[:i]
	}
	if text == "" {
		return ""
	}
	return strings.TrimSpace(text) + " …"
}
