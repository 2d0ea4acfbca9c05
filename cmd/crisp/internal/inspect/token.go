package inspect

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// tokenBytes is the length of a token before hex encoding.
const tokenBytes = 16

// ErrNotKept says that the token could not be saved, so the next run will have another.
var ErrNotKept = errors.New("the token could not be kept, so that an open page will have to be opened anew")

// Token returns the token of this machine's user, which it makes at the first use. With
// ErrNotKept the token is still good for this run; other errors are about an existing
// file.
func Token(getenv func(string) string) (string, error) {
	folder := stateFolder(getenv)
	if folder == "" {
		return newToken(), fmt.Errorf("%w: there is no folder for it, which XDG_STATE_HOME or HOME would name", ErrNotKept)
	}
	path := filepath.Join(folder, "crisp", "inspector-token")
	token, err := readToken(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return token, err
	}
	token = newToken()
	err = keepToken(path, token)
	if errors.Is(err, fs.ErrExist) { // another command was faster
		return readToken(path)
	}
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrNotKept, err)
	}
	return token, err
}

// stateFolder returns the folder for programs' state; empty if there is none.
func stateFolder(getenv func(string) string) string {
	if folder := getenv("XDG_STATE_HOME"); filepath.IsAbs(folder) {
		return folder
	}
	if folder := getenv("LOCALAPPDATA"); runtime.GOOS == "windows" && folder != "" {
		return folder
	}
	if home := getenv("HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, ".local", "state")
	}
	return ""
}

func readToken(path string) (string, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", err
	case err != nil:
		return newToken(), fmt.Errorf("%w: %w", ErrNotKept, err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return "", fmt.Errorf("others can read %s, which has mode %04o: remove it, and open the page anew", path, mode)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(text))
	if bits, err := hex.DecodeString(token); err != nil || len(bits) != tokenBytes {
		return "", fmt.Errorf("%s holds no token: remove it", path)
	}
	return token, nil
}

// keepToken writes a token to a new file at once; it is an error if the file exists.
func keepToken(path, token string) error {
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(folder, ".inspector-token.*") // of mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(file.Name()) //nolint:errcheck // only a second name of the file
	_, err = file.WriteString(token + "\n")
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	return os.Link(file.Name(), path)
}

func newToken() string {
	bits := make([]byte, tokenBytes)
	_, _ = rand.Read(bits) // never fails
	return hex.EncodeToString(bits)
}

// NewRun returns a random name for a run of the command: eight letters and digits.
func NewRun() string { return strings.ToLower(rand.Text()[:8]) }
