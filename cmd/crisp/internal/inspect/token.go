package inspect

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// tokenFile has the token in the folder of the command's state.
const tokenFile = "inspector-token"

// Token returns the token that a folder keeps, so that a page that is open finds the
// command again once that was restarted; the first time, it is made. kept is why the folder
// can't keep it, in which case it is new each time.
func Token(folder string) (token string, kept error) {
	token = rand.Text()
	path := filepath.Join(folder, tokenFile)
	old, err := readToken(path)
	switch {
	case err == nil:
		return old, nil
	case !errors.Is(err, fs.ErrNotExist):
		return token, err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return token, err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) { // another command has just made it
		if old, err = readToken(path); err == nil {
			return old, nil
		}
	}
	if err != nil {
		return token, err
	}
	_, err = file.WriteString(token + "\n")
	return token, errors.Join(err, file.Close())
}

// shortestToken is that of the ones that are made.
const shortestToken = 26

func readToken(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if open := info.Mode().Perm() & 0o077; open != 0 && os.PathSeparator == '/' {
		return "", fmt.Errorf("%s can be read by others (mode %04o): remove it", path, info.Mode().Perm())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(text))
	if len(token) < shortestToken {
		return "", fmt.Errorf("%s has no token in it: remove it", path)
	}
	return token, nil
}
