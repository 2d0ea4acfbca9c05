package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/crisp-go/crisp/internal/nearest"
)

// Variables that are no settings of the file.
const (
	VarConfig = envPrefix + "CONFIG" // the path of the file

	varEngineToken = envPrefix + "ENGINE_TOKEN"
)

// readEnvironment sets what variables say, which win over the file.
func (c *Config) readEnvironment(environ []string) error {
	vars := map[string]string{}
	for _, entry := range environ {
		if name, value, ok := strings.Cut(entry, "="); ok {
			vars[name] = value
		}
	}
	known := []string{VarConfig, varEngineToken}
	var problems []error
	for _, s := range settings(c) {
		known = append(known, s.vars[0])
		for _, name := range s.vars {
			value := vars[name]
			if value == "" {
				continue
			}
			if err := s.set(value); err != nil {
				problems = append(problems, fmt.Errorf("%s: %w", name, err))
			}
			break
		}
	}
	problems = append(problems, unknownVars(environ, known)...)
	problems = append(problems, c.readSecrets(vars)...)
	return errors.Join(problems...)
}

// unknownVars finds variables that begin as those of this program do, and are none.
func unknownVars(environ, known []string) (problems []error) {
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, envPrefix) || slices.Contains(known, name) {
			continue
		}
		meant := ""
		if found := nearest.To(name, known); len(found) > 0 {
			meant = ": did you mean " + found[0] + "?"
		}
		problems = append(problems, fmt.Errorf("the variable %s is not known%s", name, meant))
	}
	return problems
}
