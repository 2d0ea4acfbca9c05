package record

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/crisp-go/crisp"
)

// MarshalJSON writes the number, time and kind, and then the members of What.
func (r Record) MarshalJSON() ([]byte, error) {
	return Join(Head{r.N, r.At, r.What.Kind()}, r.What)
}

// Head holds the JSON members that all records have.
type Head struct {
	N    uint64    `json:"n"`
	At   time.Time `json:"at"`
	Kind Kind      `json:"kind"`
}

// Join returns one JSON object with the members of two.
func Join(head, rest any) ([]byte, error) {
	first, err := encode(head)
	if err != nil {
		return nil, err
	}
	second, err := encode(rest)
	if err != nil {
		return nil, err
	}
	if len(second) == len("{}") {
		return first, nil
	}
	return append(append(first[:len(first)-1], ','), second[1:]...), nil
}

func encode(value any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// MarshalJSON writes the envelope's members, and where the event came from.
func (e *Event) MarshalJSON() ([]byte, error) {
	meta := e.Event.EventMeta()
	members := struct {
		Name      string          `json:"event"`
		WebsiteID string          `json:"website_id,omitempty"`
		SessionID string          `json:"session_id,omitempty"`
		Source    crisp.Source    `json:"source,omitempty"`
		Attempt   int             `json:"attempt,omitempty"`
		Limit     int             `json:"limit,omitempty"`
		Timestamp int64           `json:"timestamp"`
		Problems  []string        `json:"problems,omitempty"`
		Data      json.RawMessage `json:"data,omitempty"`
		DataText  string          `json:"data_text,omitempty"` // instead of Data, if that is nested too deeply to be embedded
	}{
		Name:      e.Name(),
		WebsiteID: e.WebsiteID(),
		SessionID: e.SessionID(),
		Source:    meta.Source,
		Timestamp: meta.Time.UnixMilli(),
		Data:      meta.Raw,
	}
	if d := meta.Delivery; d != nil {
		members.Attempt, members.Limit = d.Attempt, d.Limit
	}
	for _, problem := range meta.Problems {
		members.Problems = append(members.Problems, problem.String())
	}
	text, err := encode(members)
	if err != nil {
		members.Data, members.DataText = nil, string(meta.Raw)
		return encode(members)
	}
	return text, nil
}
