package control

import (
	"crypto/rand"
	"fmt"
)

// NewSessionID returns a random session ID in Crisp's form. IDs are random, not counted,
// so that they are not reused after the server restarts.
func NewSessionID() string {
	var random [16]byte
	_, _ = rand.Read(random[:]) // never fails
	return SessionIDOf(random)
}

// SessionIDOf returns the session ID made of 16 bytes.
func SessionIDOf(b [16]byte) string {
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("session_%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
