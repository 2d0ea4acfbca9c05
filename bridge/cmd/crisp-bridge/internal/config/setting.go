package config

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// envPrefix begins the variables of all settings.
const envPrefix = "CRISP_BRIDGE_"

// setting is one value of a Config.
type setting struct {
	name  string   // in the file, such as engine.kind
	vars  []string // the variables that set it; the first that is there counts
	value reflect.Value
}

// settings returns all settings of a Config, in the order of its fields.
func settings(c *Config) []setting { return settingsOf(reflect.ValueOf(c).Elem(), "") }

func settingsOf(group reflect.Value, prefix string) (all []setting) {
	for i := range group.NumField() {
		field, value := group.Type().Field(i), group.Field(i)
		tag := field.Tag.Get("toml")
		if tag == "-" {
			continue
		}
		name := prefix + tag
		if value.Kind() == reflect.Struct {
			all = append(all, settingsOf(value, name+".")...)
			continue
		}
		s := setting{name: name, vars: []string{varName(name)}, value: value}
		if short := field.Tag.Get("env"); short != "" {
			s.vars = append(s.vars, short)
		}
		all = append(all, s)
	}
	return all
}

func varName(name string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(name, ".", "_"))
}

// set sets the value from a text; lists have commas in between.
func (s setting) set(text string) error {
	if s.value.Kind() == reflect.Pointer {
		s.value.Set(reflect.New(s.value.Type().Elem()))
		return setting{value: s.value.Elem()}.set(text)
	}
	if u, ok := s.value.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(text))
	}
	switch s.value.Kind() {
	case reflect.String:
		s.value.SetString(text)
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", text)
		}
		s.value.SetBool(b)
	case reflect.Int, reflect.Int64:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || s.value.OverflowInt(n) {
			return fmt.Errorf("%q is no whole number", text)
		}
		s.value.SetInt(n)
	case reflect.Slice:
		s.value.Set(reflect.ValueOf(list(text)))
	default:
		return errors.New("it can't be set by a variable")
	}
	return nil
}

func list(text string) (items []string) {
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}
