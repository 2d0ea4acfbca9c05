// Package decoders compares the JSON decoders that events could be decoded with,
// on the same message:send. It is a module of its own, so that none of them
// comes near the library.
//
//	go -C internal/lab/bench/decoders test -bench .
//	GOEXPERIMENT=jsonv2 go -C internal/lab/bench/decoders test -bench encoding-json
package decoders

//go:generate go tool easyjson -no_std_marshalers message.go

// Message is the wire form of a message:send, as each of the decoders can read
// it: without Meta, without tolerance of drift, its content a plain text.
//
//easyjson:json
type Message struct {
	WebsiteID   string            `json:"website_id"`
	SessionID   string            `json:"session_id"`
	InboxID     string            `json:"inbox_id"`
	Type        string            `json:"type"`
	From        string            `json:"from"`
	Origin      string            `json:"origin"`
	Content     string            `json:"content"`
	Fingerprint int64             `json:"fingerprint"`
	Timestamp   int64             `json:"timestamp"`
	Stamped     bool              `json:"stamped"`
	Mentions    []string          `json:"mentions"`
	User        User              `json:"user"`
	References  []Reference       `json:"references"`
	Properties  map[string]string `json:"properties"`
	Edited      bool              `json:"edited"`
	Translated  bool              `json:"translated"`
	Automated   bool              `json:"automated"`
}

// User is who sent a message.
type User struct {
	Type     string `json:"type"`
	UserID   string `json:"user_id"`
	Nickname string `json:"nickname"`
	Avatar   string `json:"avatar"`
}

// Reference is a source that a message refers to.
type Reference struct {
	Type   string `json:"type"`
	Name   string `json:"name"`
	Target string `json:"target"`
}
