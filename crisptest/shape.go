package crisptest

import (
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// shape reports whether a decoded JSON value is what Crisp takes somewhere. It
// doesn't use package crisp, so that a mistake there shows in tests.
type shape func(v any) bool

// members are those of an object, by name.
type members map[string]shape

// fits reports whether bytes are JSON of this shape, and nothing else.
func (is shape) fits(data []byte) bool {
	var v any
	return json.Unmarshal(data, &v) == nil && is(v)
}

// object is an object with all required members. Optional members may be null, and unknown
// ones are ignored.
func object(required, optional members) shape {
	return func(v any) bool {
		object, ok := v.(map[string]any)
		if !ok {
			return false
		}
		for name, is := range required {
			if v, there := object[name]; !there || !is(v) {
				return false
			}
		}
		for name, is := range optional {
			if v := object[name]; v != nil && !is(v) {
				return false
			}
		}
		return true
	}
}

// listOf is a list of at least n elements of one shape.
func listOf(least int, is shape) shape {
	return func(v any) bool {
		list, ok := v.([]any)
		return ok && len(list) >= least && !slices.ContainsFunc(list, func(v any) bool { return !is(v) })
	}
}

// mapOf is an object whose members are all of one shape.
func mapOf(is shape) shape {
	return func(v any) bool {
		object, ok := v.(map[string]any)
		for _, v := range object {
			ok = ok && is(v)
		}
		return ok
	}
}

func oneOf(values ...string) shape {
	return func(v any) bool {
		s, ok := v.(string)
		return ok && slices.Contains(values, s)
	}
}

func either(shapes ...shape) shape {
	return func(v any) bool {
		return slices.ContainsFunc(shapes, func(is shape) bool { return is(v) })
	}
}

func null(v any) bool { return v == nil }

func something(v any) bool { return v != nil }

func anything(any) bool { return true }

func boolean(v any) bool {
	_, ok := v.(bool)
	return ok
}

func number(v any) bool {
	_, ok := v.(float64)
	return ok
}

func textual(v any) bool {
	_, ok := v.(string)
	return ok
}

// filled is a text that is not empty.
func filled(v any) bool {
	s, _ := v.(string)
	return s != ""
}

// absoluteURL is a text that is an absolute URL.
func absoluteURL(v any) bool {
	s, _ := v.(string)
	u, err := url.Parse(s)
	return err == nil && u.IsAbs() && (u.Host != "" || u.Opaque != "")
}

// most is the largest integer that JavaScript, and so Crisp, can hold.
const most = 1<<53 - 1

// whole is an integer that is not negative: a fingerprint, or a time in
// milliseconds.
func whole(v any) bool {
	n, ok := v.(float64)
	return ok && n >= 0 && n <= most && n == float64(int64(n))
}

func positive(v any) bool {
	n, ok := v.(float64)
	return ok && n > 0
}

// digits is a whole number as a text.
func digits(v any) bool {
	s, _ := v.(string)
	n, err := strconv.ParseInt(s, 10, 64)
	return err == nil && n >= 0
}

// dateTime is a moment in the form of ISO 8601.
func dateTime(v any) bool {
	s, _ := v.(string)
	_, err := time.Parse(time.RFC3339, s)
	return err == nil
}

// channel is the origin of messages and receipts: the chat, email, or the URN of
// a plugin.
func channel(v any) bool {
	s, _ := v.(string)
	urn, isURN := strings.CutPrefix(s, "urn:")
	return s == originChat || s == "email" || isURN && urn != ""
}
