package profile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/zalando/go-keyring"
)

// Secrets are the secrets of a profile.
type Secrets struct {
	Key           string `toml:"key" json:"key"`
	SigningSecret string `toml:"signing_secret,omitempty" json:"signing_secret,omitempty"`
}

// String hides the secrets from fmt.
func (Secrets) String() string { return "(secrets)" }

// GoString hides the secrets from fmt.
func (s Secrets) GoString() string { return s.String() }

// StoreName names a place for secrets.
type StoreName string

// The places for secrets.
const (
	StoreKeyring StoreName = "keyring"
	StoreFile    StoreName = "file"
)

// ErrNoSecrets says that a store has no secrets of a profile.
var ErrNoSecrets = errors.New("there is no key for it")

// Store is a place for the secrets of profiles.
type Store interface {
	Get(name string) (Secrets, error) // ErrNoSecrets if there are none
	Set(name string, secrets Secrets) error
	Remove(name string) error // nil if there are none
}

// OpenStore returns a store. folder is the profiles' folder.
func OpenStore(name StoreName, folder string) Store {
	if name == StoreFile {
		return fileStore{filepath.Join(folder, "secrets.toml")}
	}
	return keyringStore{keyringPatience}
}

// fileStore is a file that only its owner may read.
type fileStore struct{ path string }

func (s fileStore) read() (map[string]Secrets, error) {
	all := map[string]Secrets{}
	info, err := os.Stat(s.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return all, nil
	case err != nil:
		return nil, err
	case info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows":
		return nil, fmt.Errorf("%s has mode %#o, so that others may read the keys in it: chmod 600 it, and think of making new keys", s.path, info.Mode().Perm())
	}
	if _, err := toml.DecodeFile(s.path, &all); err != nil {
		return nil, fmt.Errorf("%s can't be understood%s", s.path, lineOf(err)) // the parser's words quote the line
	}
	return all, nil
}

// lineOf says in which line a TOML file is wrong, if that is known.
func lineOf(err error) string {
	var parse toml.ParseError
	if errors.As(err, &parse) {
		return fmt.Sprintf(" (line %d)", parse.Position.Line)
	}
	return ""
}

func (s fileStore) Get(name string) (Secrets, error) {
	all, err := s.read()
	if err != nil {
		return Secrets{}, err
	}
	secrets, ok := all[name]
	if !ok {
		return Secrets{}, ErrNoSecrets
	}
	return secrets, nil
}

func (s fileStore) Set(name string, secrets Secrets) error {
	all, err := s.read()
	if err != nil {
		return err
	}
	all[name] = secrets
	return writeTOML(s.path, all)
}

func (s fileStore) Remove(name string) error {
	all, err := s.read()
	if err != nil {
		return err
	}
	if _, ok := all[name]; !ok {
		return nil
	}
	delete(all, name)
	return writeTOML(s.path, all)
}

// keyringPatience is how long the keyring may take. It may ask a person to unlock
// it; on a machine without one nobody ever answers.
const keyringPatience = 3 * time.Second

// keyringStore is the system's keyring.
type keyringStore struct{ patience time.Duration }

const keyringService = "crisp"

func (s keyringStore) Get(name string) (Secrets, error) {
	text, err := withPatience(s.patience, func() (string, error) { return keyring.Get(keyringService, name) })
	switch {
	case errors.Is(err, keyring.ErrNotFound):
		return Secrets{}, ErrNoSecrets
	case err != nil:
		return Secrets{}, keyringError(err)
	}
	var secrets Secrets
	if json.Unmarshal([]byte(text), &secrets) != nil { // the error may quote a secret
		return Secrets{}, errors.New("what the keyring has for it can't be understood: run crisp login again")
	}
	return secrets, nil
}

func (s keyringStore) Set(name string, secrets Secrets) error {
	text, err := json.Marshal(secrets)
	if err != nil {
		return err
	}
	_, err = withPatience(s.patience, func() (string, error) { return "", keyring.Set(keyringService, name, string(text)) })
	return keyringError(err)
}

func (s keyringStore) Remove(name string) error {
	_, err := withPatience(s.patience, func() (string, error) { return "", keyring.Delete(keyringService, name) })
	if errors.Is(err, keyring.ErrNotFound) {
		return nil
	}
	return keyringError(err)
}

func keyringError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("the keyring: %w; crisp login --store file does without one, CRISP_IDENTIFIER and CRISP_KEY without a profile", err)
}

// withPatience returns what a call to the keyring returns, or an error if it takes too
// long. The call can't be cancelled: its goroutine may last until the program exits.
func withPatience(patience time.Duration, call func() (string, error)) (string, error) {
	type result struct {
		text string
		err  error
	}
	done := make(chan result, 1)
	go func() {
		text, err := call()
		done <- result{text, err}
	}()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case r := <-done:
		return r.text, r.err
	case <-timer.C:
		return "", fmt.Errorf("it did not answer within %s", patience)
	}
}
