// Package secrets reads secrets from files, and makes new ones.
package secrets

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// longest bounds what is taken for a secret.
const longest = 4096

// Read returns the secret that a file holds, without the line break behind it and the mark
// that editors of Windows put before it; - is stdin. No error quotes it.
func Read(path string, stdin io.Reader) (string, error) {
	source := stdin
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return "", err
		}
		defer file.Close() //nolint:errcheck // it is only read
		source = file
	}
	text, err := io.ReadAll(io.LimitReader(source, longest+1))
	if err != nil {
		return "", err
	}
	secret := strings.TrimRight(strings.TrimPrefix(string(text), "\ufeff"), "\r\n")
	if err := check(secret); err != nil {
		return "", fmt.Errorf("%s: %w", nameOf(path), err)
	}
	return secret, nil
}

func nameOf(path string) string {
	if path == "-" {
		return "stdin"
	}
	return path
}

func check(secret string) error {
	switch {
	case secret == "":
		return errors.New("it is empty")
	case len(secret) > longest:
		return errors.New("it is too long for a secret")
	case strings.TrimSpace(secret) != secret:
		return errors.New("there is white space around the secret, which nothing is signed with")
	case strings.Contains(secret, "\x00"):
		return errors.New("it is no plain text, but UTF-16 perhaps: save it as UTF-8")
	case strings.ContainsAny(secret, "\r\n"):
		return errors.New("it has several lines; a secret is one")
	}
	return nil
}

// New makes a secret of 256 random bits, in hex: it fits into headers and URLs as it
// is.
func New() string {
	bits := make([]byte, 32)
	_, _ = rand.Read(bits) // which never fails
	return hex.EncodeToString(bits)
}

// Write writes a secret to a new file, which only its owner can read. If it can't be
// written, there is no file.
func Write(path, secret string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(secret + "\n")
	if err = errors.Join(err, file.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}
