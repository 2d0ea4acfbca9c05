package rest

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// printed formats a struct as %+v does, but without the Raw of its Answer, and with "[secret]" in
// the place of the named secrets.
func printed(v any, secrets ...string) string {
	s := reflect.ValueOf(v)
	fields := make([]string, 0, s.NumField())
	for i := range s.NumField() {
		name, value := s.Type().Field(i).Name, s.Field(i).Interface()
		if answer, ok := value.(Answer); ok {
			value = answer.Problems
		}
		if slices.Contains(secrets, name) && !s.Field(i).IsZero() {
			value = "[secret]"
		}
		fields = append(fields, fmt.Sprintf("%s:%+v", name, value))
	}
	return "{" + strings.Join(fields, " ") + "}"
}
