// Package profile stores named credentials: the secrets in the system's keyring, or in a
// file of their own if the user asks for that, and all else in a file that can be edited.
package profile

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/BurntSushi/toml"

	"github.com/crisp-go/crisp"
)

// Profile is a token without its secrets.
type Profile struct {
	Tier       crisp.Tier `toml:"tier"`
	Identifier string     `toml:"identifier"`
	WebsiteID  string     `toml:"website,omitempty"`
	BaseURL    string     `toml:"base_url,omitempty"`
	Store      StoreName  `toml:"store"` // where its secrets are kept
}

// Config is the file of profiles.
type Config struct {
	Current  string              `toml:"current,omitempty"` // the name of the profile in use
	Profiles map[string]*Profile `toml:"profiles"`
}

// Folder returns where profiles are kept: $XDG_CONFIG_HOME/crisp, or the same in
// the system's folder for configurations.
func Folder(getenv func(string) string) (string, error) {
	if xdg := getenv("XDG_CONFIG_HOME"); filepath.IsAbs(xdg) { // the specification has others ignored
		return filepath.Join(xdg, "crisp"), nil
	}
	folder, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("there is no folder for profiles: %w; set XDG_CONFIG_HOME to one", err)
	}
	return filepath.Join(folder, "crisp"), nil
}

const configFile = "config.toml"

// Read reads the profiles in a folder. There are none if it doesn't exist.
func Read(folder string) (*Config, error) {
	config := &Config{Profiles: map[string]*Profile{}}
	path := filepath.Join(folder, configFile)
	meta, err := toml.DecodeFile(path, config)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return config, nil
	case err != nil:
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return nil, fmt.Errorf("%s: %s is not known", path, unknown[0])
	}
	for name, p := range config.Profiles {
		if err := p.check(name); err != nil {
			return nil, fmt.Errorf("%s: profile %q: %w", path, name, err)
		}
	}
	return config, nil
}

// Change changes the profiles in a folder, completely or not at all. It holds a lock
// against other processes, so change may also use a [Store] of the folder.
func Change(folder string, change func(*Config) error) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	unlock, err := lock(folder)
	if err != nil {
		return err
	}
	defer unlock()
	config, err := Read(folder)
	if err != nil {
		return err
	}
	if err := change(config); err != nil {
		return err
	}
	return writeTOML(filepath.Join(folder, configFile), config)
}

// Names returns the names of the profiles, sorted.
func (c *Config) Names() []string { return slices.Sorted(maps.Keys(c.Profiles)) }

// UnknownError says that there is no profile with a name.
type UnknownError struct {
	Name  string
	Known []string
}

func (e *UnknownError) Error() string {
	if len(e.Known) == 0 {
		return fmt.Sprintf("there is no profile %q, nor any other: crisp login makes one", e.Name)
	}
	return fmt.Sprintf("there is no profile %q; there are %q", e.Name, e.Known)
}

// Find returns the profile with a name, or an *[UnknownError].
func (c *Config) Find(name string) (*Profile, error) {
	if p := c.Profiles[name]; p != nil {
		return p, nil
	}
	return nil, &UnknownError{Name: name, Known: c.Names()}
}

// Put adds or replaces a profile, and makes it the one in use.
func (c *Config) Put(name string, p *Profile) error {
	if err := p.check(name); err != nil {
		return err
	}
	c.Profiles[name] = p
	c.Current = name
	return nil
}

// Remove removes a profile. If it was in use, no profile is in use afterwards.
func (c *Config) Remove(name string) {
	delete(c.Profiles, name)
	if c.Current == name {
		c.Current = ""
	}
}

var validName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

func (p *Profile) check(name string) error {
	switch {
	case !validName.MatchString(name):
		return errors.New("a profile's name must have up to 64 letters, digits, dots, dashes and underscores, and begin with a letter or digit")
	case p == nil:
		return errors.New("it is empty")
	case p.Tier != crisp.TierPlugin && p.Tier != crisp.TierUser && p.Tier != crisp.TierWebsite:
		return fmt.Errorf("the tier is %q; it must be plugin, user or website", string(p.Tier))
	case p.Identifier == "":
		return errors.New("it has no identifier")
	case p.Tier == crisp.TierWebsite && p.WebsiteID == "":
		return errors.New("a token of the tier website belongs to a website, which is missing")
	case p.Store != StoreKeyring && p.Store != StoreFile:
		return fmt.Errorf("the store is %q; it must be keyring or file", string(p.Store))
	}
	return nil
}

// writeTOML writes a file that only its owner may read, completely or not at all.
func writeTOML(path string, value any) error {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return err
	}
	err = toml.NewEncoder(file).Encode(value)
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}
