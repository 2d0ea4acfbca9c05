// Package fault gives names to the faults of a crisptest server, for command lines,
// scenarios and programs that can't call its methods.
package fault

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/crisp-go/crisp/crisptest"
)

// Fault is a fault with its parameters, ready to be applied.
type Fault struct {
	Name   string
	values values
	apply  func(*crisptest.Server, values)
}

// Kind describes the faults with one name.
type Kind struct {
	Name   string  `json:"fault"`
	What   string  `json:"what"`
	Params []Param `json:"params"`
	apply  func(*crisptest.Server, values)
}

// Param is a parameter of a fault.
type Param struct {
	Name    string `json:"name"`
	Default string `json:"default"`
	What    string `json:"what"`
	form    form
}

// form says how a parameter's value is written.
type form struct {
	describe string
	fits     func(string) bool
}

// values are the values of a fault's parameters, by name. They have been checked.
type values map[string]string

func (v values) number(name string) int {
	if v[name] == always {
		return -1
	}
	n, _ := strconv.Atoi(v[name])
	return n
}

func (v values) duration(name string) time.Duration {
	d, _ := time.ParseDuration(v[name])
	return d
}

// retryAfter returns the optional argument of the server's methods: none if it is zero.
func (v values) retryAfter() []time.Duration {
	if d := v.duration("retry"); d > 0 {
		return []time.Duration{d}
	}
	return nil
}

// Parse returns the fault with a name and params such as "delay=2s". Params that are not
// given have their defaults.
func Parse(name string, params ...string) (Fault, error) {
	i := slices.IndexFunc(kinds, func(k Kind) bool { return k.Name == name })
	if i < 0 {
		return Fault{}, fmt.Errorf("there is no fault %q; there are %s", name, strings.Join(names(), ", "))
	}
	kind := kinds[i]
	f := Fault{Name: name, values: values{}, apply: kind.apply}
	for _, p := range kind.Params {
		f.values[p.Name] = p.Default
	}
	for _, param := range params {
		key, value, ok := strings.Cut(param, "=")
		if !ok {
			return Fault{}, fmt.Errorf("fault %s: %q is not of the form NAME=VALUE", name, param)
		}
		if err := kind.set(f.values, key, value); err != nil {
			return Fault{}, fmt.Errorf("fault %s: %w", name, err)
		}
	}
	return f, nil
}

// set sets a parameter, or returns an error if the name or the value is invalid.
func (k Kind) set(v values, name, value string) error {
	var known []string
	for _, p := range k.Params {
		known = append(known, p.Name)
		if p.Name != name {
			continue
		}
		if !p.form.fits(value) {
			return fmt.Errorf("%s is %q; it must be %s", name, value, p.form.describe)
		}
		v[name] = value
		return nil
	}
	if len(known) == 0 {
		return fmt.Errorf("it takes no %q, nor anything else", name)
	}
	return fmt.Errorf("it takes no %q, but %s", name, strings.Join(known, ", "))
}

// ParseFlag is Parse for a fault in one argument, such as "slow-rest,delay=2s".
func ParseFlag(text string) (Fault, error) {
	words := strings.Split(text, ",")
	return Parse(words[0], words[1:]...)
}

// Apply applies the fault to a server.
func (f Fault) Apply(to *crisptest.Server) { f.apply(to, f.values) }

// Kinds returns all kinds of faults.
func Kinds() []Kind { return slices.Clone(kinds) }

func names() []string {
	var list []string
	for _, kind := range kinds {
		list = append(list, kind.Name)
	}
	return list
}
