package payload

import (
	"bytes"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// Encoder writes JSON objects member by member:
//
//	e.Begin()
//	e.String("email", v.Email, payload.Optional)
//	e.End()
//
// The [Presence] says what becomes of a zero value.
type Encoder struct {
	buf []byte
	err error
}

// Bytes returns what was written, or an error if a value can't be expressed in
// JSON.
func (e *Encoder) Bytes() ([]byte, error) {
	if e.err != nil {
		return nil, e.err
	}
	return e.buf, nil
}

// Begin opens an object.
func (e *Encoder) Begin() { e.buf = append(e.buf, '{') }

// End closes an object.
func (e *Encoder) End() { e.buf = append(e.buf, '}') }

// Key begins a member. Its value has to follow.
func (e *Encoder) Key(key string) {
	e.comma()
	e.buf = AppendString(e.buf, key)
	e.buf = append(e.buf, ':')
}

// comma writes a comma unless this is the first member or element.
func (e *Encoder) comma() {
	switch e.buf[len(e.buf)-1] {
	case '{', '[':
	default:
		e.buf = append(e.buf, ',')
	}
}

// Null writes null as a value.
func (e *Encoder) Null() { e.buf = append(e.buf, "null"...) }

// Member begins a member and reports whether the caller has to write its value.
// If the value is zero, p says whether it is to be written, written as null, or
// left out with its key; Member does the latter two.
func (e *Encoder) Member(key string, zero bool, p Presence) bool {
	if !zero || p == Required {
		e.Key(key)
		return true
	}
	if p == Nullable {
		e.Key(key)
		e.Null()
	}
	return false
}

// String writes a string.
func (e *Encoder) String(key, v string, p Presence) {
	if e.Member(key, v == "", p) {
		e.buf = AppendString(e.buf, v)
	}
}

// Text writes a string as a value, without a key.
func (e *Encoder) Text(v string) { e.buf = AppendString(e.buf, v) }

// Bool writes true or false.
func (e *Encoder) Bool(key string, v bool, p Presence) {
	if e.Member(key, !v, p) {
		e.buf = strconv.AppendBool(e.buf, v)
	}
}

// Int64 writes an integer.
func (e *Encoder) Int64(key string, v int64, p Presence) {
	if e.Member(key, v == 0, p) {
		e.buf = strconv.AppendInt(e.buf, v, 10)
	}
}

// Int writes an integer.
func (e *Encoder) Int(key string, v int, p Presence) { e.Int64(key, int64(v), p) }

// Float64 writes a number.
func (e *Encoder) Float64(key string, v float64, p Presence) {
	if e.Member(key, v == 0, p) {
		e.number(v)
	}
}

func (e *Encoder) number(v float64) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		e.value(v) // sets the error
		return
	}
	e.buf = AppendFloat(e.buf, v)
}

// Time writes a time as milliseconds since 1970, the zero Time as 0.
func (e *Encoder) Time(key string, v time.Time, p Presence) {
	if e.Member(key, v.IsZero(), p) {
		e.buf = AppendTime(e.buf, v)
	}
}

// Duration writes a duration as a number of units.
func (e *Encoder) Duration(key string, v time.Duration, unit time.Duration, p Presence) {
	if e.Member(key, v == 0, p) {
		e.buf = AppendFloat(e.buf, float64(v)/float64(unit))
	}
}

// Strings writes an array of strings.
func (e *Encoder) Strings(key string, v []string, p Presence) {
	if e.Member(key, len(v) == 0, p) {
		e.array(len(v), func(i int) { e.Text(v[i]) })
	}
}

// Int64s writes an array of integers.
func (e *Encoder) Int64s(key string, v []int64, p Presence) {
	if e.Member(key, len(v) == 0, p) {
		e.array(len(v), func(i int) { e.buf = strconv.AppendInt(e.buf, v[i], 10) })
	}
}

// EncodeSlice writes an array, each element by encode.
func EncodeSlice[T any](e *Encoder, key string, v []T, p Presence, encode func(*T, *Encoder)) {
	if e.Member(key, len(v) == 0, p) {
		e.array(len(v), func(i int) { encode(&v[i], e) })
	}
}

// EncodeMap writes an object, sorted by key, each value by encode.
func EncodeMap[T any](e *Encoder, key string, v map[string]T, p Presence, encode func(*T, *Encoder)) {
	if !e.Member(key, len(v) == 0, p) {
		return
	}
	e.Begin()
	for _, key := range slices.Sorted(maps.Keys(v)) {
		value := v[key]
		e.Key(key)
		encode(&value, e)
	}
	e.End()
}

func (e *Encoder) array(n int, element func(i int)) {
	e.buf = append(e.buf, '[')
	for i := range n {
		if i > 0 {
			e.buf = append(e.buf, ',')
		}
		element(i)
	}
	e.buf = append(e.buf, ']')
}

// RawObject writes the JSON text of an object; an empty text stands for {}.
func (e *Encoder) RawObject(key string, v json.RawMessage, p Presence) {
	if len(v) == 0 && p == Required {
		v = json.RawMessage("{}")
	}
	e.Raw(key, v, p)
}

// Raw writes a JSON text; an empty one stands for null.
func (e *Encoder) Raw(key string, v json.RawMessage, p Presence) {
	if e.Member(key, len(v) == 0, p) {
		e.RawValue(v)
	}
}

// RawValue writes a JSON text as a value, without a key; an empty one stands for
// null.
func (e *Encoder) RawValue(v json.RawMessage) {
	if len(v) == 0 {
		e.Null()
		return
	}
	e.buf = append(e.buf, v...)
}

// AnyMap writes an object, sorted by key.
func (e *Encoder) AnyMap(key string, v map[string]any, p Presence) {
	if e.Member(key, len(v) == 0, p) {
		if v == nil {
			v = map[string]any{}
		}
		e.value(v)
	}
}

// value writes any value as encoding/json does, but without escaping for HTML.
func (e *Encoder) value(v any) {
	buf := bytes.NewBuffer(e.buf)
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		if e.err == nil {
			e.err = err
		}
		return
	}
	e.buf = bytes.TrimSuffix(buf.Bytes(), []byte{'\n'})
}

const hexDigits = "0123456789abcdef"

// AppendString appends a string in quotes, escaped as by encoding/json, but not
// for HTML.
func AppendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		size := 1
		r := rune(c)
		if c >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(s[i:])
			invalid := r == utf8.RuneError && size == 1
			if !invalid && r != '\u2028' && r != '\u2029' { // both end a line in JavaScript
				i += size
				continue
			}
		}
		b = append(b, s[start:i]...)
		b = appendEscape(b, r)
		i += size
		start = i
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}

func appendEscape(b []byte, r rune) []byte {
	switch r {
	case '"', '\\':
		return append(b, '\\', byte(r))
	case '\b':
		return append(b, `\b`...)
	case '\f':
		return append(b, `\f`...)
	case '\n':
		return append(b, `\n`...)
	case '\r':
		return append(b, `\r`...)
	case '\t':
		return append(b, `\t`...)
	}
	return append(b, '\\', 'u',
		hexDigits[r>>12&0xf], hexDigits[r>>8&0xf], hexDigits[r>>4&0xf], hexDigits[r&0xf])
}

// AppendFloat appends a finite number as encoding/json and ECMAScript write it:
// with an exponent only if it is very large or very small.
func AppendFloat(b []byte, f float64) []byte {
	abs := math.Abs(f)
	if abs == 0 || 1e-6 <= abs && abs < 1e21 {
		return strconv.AppendFloat(b, f, 'f', -1, 64)
	}
	b = strconv.AppendFloat(b, f, 'e', -1, 64)
	if n := len(b); b[n-4] == 'e' && b[n-3] == '-' && b[n-2] == '0' { // e-09 becomes e-9
		b[n-2] = b[n-1]
		b = b[:n-1]
	}
	return b
}

// AppendTime appends a time as milliseconds since 1970, with a fraction if it
// has microseconds. The zero Time is 0, and what would be too few milliseconds to be
// read as such are seconds.
func AppendTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(b, '0')
	}
	if ms := t.UnixMilli(); -firstMilli < ms && ms < firstMilli {
		return AppendFloat(b, float64(t.UnixMicro())/1e6)
	}
	if t.Nanosecond()/1000%1000 == 0 {
		return strconv.AppendInt(b, t.UnixMilli(), 10)
	}
	return AppendFloat(b, float64(t.UnixMicro())/1e3)
}
