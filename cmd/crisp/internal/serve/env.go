package serve

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Var is an environment variable by which a program finds the server.
type Var struct {
	Name  string
	Value string
	Given bool // the user supplied the value; it must not be shown
}

// Env returns the environment in which a program finds the server.
func (s *Server) Env() []Var {
	o := s.options
	return []Var{
		{Name: "CRISP_BASE_URL", Value: s.URL()},
		{Name: "CRISP_IDENTIFIER", Value: o.Token.Identifier},
		{Name: "CRISP_KEY", Value: o.Token.Key, Given: o.TokenGiven},
		{Name: "CRISP_TIER", Value: string(o.Token.Tier)},
		{Name: "CRISP_WEBSITE_ID", Value: s.websiteID},
		{Name: "CRISP_SIGNING_SECRET", Value: o.SigningSecret, Given: o.SecretGiven},
	}
}

// WriteEnv writes the environment to a file that only its owner can read, as lines
// that shells and --env-file understand. It includes the secrets that the user supplied,
// since the file would be useless without them.
func (s *Server) WriteEnv(path string) error {
	var text strings.Builder
	for _, v := range s.Env() {
		if strings.ContainsAny(v.Value, "'\n\r\x00") {
			return fmt.Errorf("%s: the value of %s has characters that can't be written to it", path, v.Name)
		}
		fmt.Fprintf(&text, "%s='%s'\n", v.Name, v.Value)
	}
	return WriteFile(path, []byte(text.String()))
}

// WriteFile writes a file that only its owner can read. It replaces the file at once, so
// that nobody reads half of it.
func WriteFile(path string, text []byte) error {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // of mode 0600
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if closing := file.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		_ = os.Remove(file.Name())
	}
	return err
}
