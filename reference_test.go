package crisp_test

import (
	"encoding/json"
	"math"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
)

// FuzzDecode compares Decode with what encoding/json reads in the same
// payload.
func FuzzDecode(f *testing.F) {
	for _, info := range crisp.Events() {
		f.Add(info.Name, []byte(sampleOf(info.Name)))
	}
	for typ, c := range contents {
		f.Add("message:send", []byte(`{"type":"`+typ+`","content":`+c.wire+`}`))
		f.Add("message:updated", []byte(`{"content":`+c.wire+`}`))
	}
	f.Add("session:unheard_of", []byte(`{"website_id":"w1","data":{"session_id":"s1"},"timestamp":1}`))
	f.Add("session:sync:timezone", []byte(`{"timezone":90.5}`))
	f.Add("message:send", []byte(`{"user":{"nickname":"\ud83d"},"fingerprint":1e3,"timestamp":45.5,"read":true,"properties":{"a":[1,{}]}}`))
	f.Fuzz(func(t *testing.T, name string, payload []byte) {
		ev, err := crisp.Decode(name, payload)
		require.Equal(t, json.Valid(payload), err == nil)
		if err != nil {
			return
		}
		require.True(t, json.Valid(ev.EventMeta().Raw))
		checkAgainstReference(t, ev)
		checkRoundTrip(t, ev)
	})
}

// checkRoundTrip: what an event marshals to decodes to the same event, without
// a problem but with its content.
func checkRoundTrip(t *testing.T, ev crisp.Event) {
	t.Helper()
	text, err := json.Marshal(ev)
	require.NoError(t, err)
	if _, ok := ev.(*crisp.UnknownEvent); ok {
		return // its text may look like an envelope
	}
	again := reflect.New(reflect.TypeOf(ev).Elem()).Interface().(crisp.Event)
	require.NoError(t, json.Unmarshal(text, again))
	for _, p := range again.EventMeta().Problems {
		require.True(t, strings.HasPrefix(p.Path, "content"), "%s", p)
	}
	second, err := json.Marshal(again)
	require.NoError(t, err)
	require.Equal(t, string(text), string(second))
}

func TestSamplesAgainstReference(t *testing.T) {
	for _, info := range crisp.Events() {
		checkAgainstReference(t, decode(t, info.Name, sampleOf(info.Name)))
	}
}

// checkAgainstReference builds the event once more, by reflection from what
// encoding/json reads in its payload.
func checkAgainstReference(t *testing.T, ev crisp.Event) {
	t.Helper()
	if _, ok := ev.(*crisp.UnknownEvent); ok {
		return
	}
	v := reflect.ValueOf(ev).Elem()
	want := reflect.New(v.Type()).Elem()
	reference(want, parseAny(t, string(ev.EventMeta().Raw)), "")
	got := reflect.New(v.Type()).Elem()
	got.Set(v)
	canonical(got)
	for _, f := range fieldsOf(v.Type()) {
		require.Equal(t, want.FieldByIndex(f.Index).Interface(), got.FieldByIndex(f.Index).Interface(), f.key)
	}
}

// reference sets v to a value as encoding/json decodes it to an any with
// json.Number. What is not of v's type leaves it zero.
func reference(v reflect.Value, value any, key string) {
	if wrapKey, ok := wrapKeys[key]; ok {
		if object, ok := value.(map[string]any); ok {
			value = object[wrapKey]
		}
	}
	switch v.Interface().(type) {
	case json.RawMessage:
		if _, ok := value.(map[string]any); value != nil && (ok || key != "settings") {
			v.SetBytes(marshal(value))
		}
		return
	case crisp.Receipt:
		text, _ := value.(string)
		flag, _ := value.(bool)
		v.Set(reflect.ValueOf(crisp.Receipt{Done: flag || text != "", Origin: text}))
		return
	case time.Time:
		ms, ok := float(value)
		if ms >= 1e9 && ms < 1e11 {
			ms *= 1000 // seconds
		}
		if ok && ms != 0 && ms >= -62_135_596_800_000 && ms <= 253_402_300_799_999 {
			whole, fraction := math.Modf(ms)
			at := time.UnixMilli(int64(whole)).Add(time.Duration(math.Round(fraction*1000)) * time.Microsecond)
			if !at.Equal(time.UnixMilli(0)) {
				v.Set(reflect.ValueOf(at.UTC()))
			}
		}
		return
	case time.Duration:
		unit := time.Minute
		if key == "duration" {
			unit = time.Second
		}
		if n, ok := float(value); ok && math.Abs(math.Round(n*float64(unit))) < math.MaxInt64 {
			v.SetInt(int64(math.Round(n * float64(unit))))
		}
		return
	}
	referenceOfKind(v, value)
}

func referenceOfKind(v reflect.Value, value any) {
	switch v.Kind() {
	case reflect.String:
		text, _ := value.(string)
		v.SetString(text)
	case reflect.Bool:
		flag, _ := value.(bool)
		v.SetBool(flag)
	case reflect.Int, reflect.Int64:
		v.SetInt(integer(value))
	case reflect.Float64:
		n, _ := float(value)
		v.SetFloat(n)
	case reflect.Map:
		if v.Type().Elem().Kind() == reflect.Struct {
			referenceOfMap(v, value)
			return
		}
		if object, ok := plain(value).(map[string]any); ok && len(object) > 0 {
			v.Set(reflect.ValueOf(object))
		}
	case reflect.Slice:
		list, ok := value.([]any)
		list = slices.DeleteFunc(list, func(item any) bool { return item == nil })
		if ok && len(list) > 0 {
			v.Set(reflect.MakeSlice(v.Type(), len(list), len(list)))
			for i, item := range list {
				reference(v.Index(i), item, "")
			}
		}
	case reflect.Struct:
		if object, ok := value.(map[string]any); ok {
			referenceOfStruct(v, object)
		}
	default:
		panic("events have no field of kind " + v.Kind().String())
	}
}

func referenceOfMap(v reflect.Value, value any) {
	object, _ := value.(map[string]any)
	for key, member := range object {
		if member == nil {
			continue
		}
		if v.IsNil() {
			v.Set(reflect.MakeMap(v.Type()))
		}
		elem := reflect.New(v.Type().Elem()).Elem()
		reference(elem, member, "")
		v.SetMapIndex(reflect.ValueOf(key), elem)
	}
}

func referenceOfStruct(v reflect.Value, object map[string]any) {
	for _, f := range fieldsOf(v.Type()) {
		member, ok := object[f.key]
		switch {
		case !ok, member == nil:
		case f.Type == reflect.TypeFor[crisp.Content]():
			typ, _ := object["type"].(string)
			v.FieldByIndex(f.Index).Set(reflect.ValueOf(referenceContent(typ, member)))
		default:
			reference(v.FieldByIndex(f.Index), member, f.key)
		}
	}
}

func referenceContent(typ string, value any) crisp.Content {
	shape := typ
	if shape == "" {
		shape = referenceShape(value)
	}
	unknown := &crisp.UnknownContent{Type: typ, Raw: marshal(value)}
	if text, ok := value.(string); ok {
		switch shape {
		case "text":
			return crisp.TextContent(text)
		case "note":
			return crisp.NoteContent(text)
		}
		return unknown
	}
	objects := map[string]crisp.Content{
		"file": &crisp.FileContent{}, "animation": &crisp.AnimationContent{}, "audio": &crisp.AudioContent{},
		"picker": &crisp.PickerContent{}, "field": &crisp.FieldContent{}, "carousel": &crisp.CarouselContent{}, "event": &crisp.EventContent{},
	}
	content, known := objects[shape]
	if _, ok := value.(map[string]any); !ok || !known {
		return unknown
	}
	reference(reflect.ValueOf(content).Elem(), value, "")
	other := referenceShape(value)
	if reflect.ValueOf(content).Elem().IsZero() && other != "" && other != shape {
		return unknown
	}
	return content
}

func referenceShape(value any) string {
	if _, ok := value.(string); ok {
		return "text"
	}
	object, _ := value.(map[string]any)
	has := func(key string) bool { _, ok := object[key]; return ok }
	for _, mark := range [][2]string{{"choices", "picker"}, {"targets", "carousel"}, {"namespace", "event"}, {"explain", "field"}} {
		if has(mark[0]) {
			return mark[1]
		}
	}
	mime, _ := object["type"].(string)
	mime = strings.TrimSpace(strings.Split(strings.ToLower(mime), ";")[0])
	switch {
	case has("id") && has("text") && has("value"):
		return "field"
	case has("duration"):
		return "audio"
	case !has("url"):
		return ""
	case has("name"):
		return "file"
	case strings.HasPrefix(mime, "audio/"):
		return "audio"
	case slices.Contains([]string{"", "image/gif", "image/webp", "image/apng"}, mime):
		return "animation"
	default:
		return "file"
	}
}

// numeral is a number, which may be the text of a string.
func numeral(value any) (json.Number, bool) {
	if text, ok := value.(string); ok {
		var number json.Number
		if json.Unmarshal([]byte(text), &number) != nil || strings.ContainsAny(text, "\" \t\r\nn") {
			return "", false
		}
		return number, true
	}
	number, ok := value.(json.Number)
	return number, ok
}

func float(value any) (float64, bool) {
	number, ok := numeral(value)
	if !ok {
		return 0, false
	}
	n, err := number.Float64()
	if err != nil {
		return 0, false
	}
	return n, true
}

// integer is the exact value of a number without a fraction, 0 of all else.
func integer(value any) int64 {
	number, ok := numeral(value)
	if !ok {
		return 0
	}
	if n, err := number.Float64(); err != nil || math.Abs(n) > 1e19 || n != 0 && math.Abs(n) < 1e-99 {
		return 0 // spares big.Rat from exponents that fill the memory
	}
	n, ok := new(big.Rat).SetString(number.String())
	if !ok || !n.IsInt() || !n.Num().IsInt64() {
		return 0
	}
	return n.Num().Int64()
}

// plain turns json.Number into float64, nil if that can't be.
func plain(value any) any {
	switch value := value.(type) {
	case json.Number:
		if n, ok := float(value); ok {
			return n
		}
		return nil
	case []any:
		list := make([]any, len(value))
		for i, item := range value {
			list[i] = plain(item)
		}
		return list
	case map[string]any:
		object := make(map[string]any, len(value))
		for key, member := range value {
			object[key] = plain(member)
		}
		return object
	default:
		return value
	}
}

func marshal(value any) json.RawMessage {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return text
}

// canonical spells the raw JSON in an event as encoding/json does, so that
// equal values are equal bytes.
func canonical(v reflect.Value) {
	switch content := v.Interface().(type) {
	case json.RawMessage:
		if content != nil {
			v.SetBytes(respell(content))
		}
		return
	case crisp.Meta, time.Time:
		return
	case *crisp.UnknownContent:
		v.Set(reflect.ValueOf(&crisp.UnknownContent{Type: content.Type, Raw: respell(content.Raw)}))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for _, f := range fieldsOf(v.Type()) {
			canonical(v.FieldByIndex(f.Index))
		}
	case reflect.Slice:
		for i := range v.Len() {
			canonical(v.Index(i))
		}
	default: // holds no raw JSON
	}
}

func respell(raw json.RawMessage) json.RawMessage {
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	dec.UseNumber()
	var value any
	if err := dec.Decode(&value); err != nil {
		panic(err)
	}
	return marshal(value)
}

func TestReferenceReadsIntegersExactly(t *testing.T) {
	for text, want := range map[string]int64{
		"45": 45, "45.0": 45, "1e3": 1000, "45.5": 0, "9223372036854775807": math.MaxInt64, "9223372036854775808": 0, "1e-400": 0,
	} {
		assert.Equal(t, want, integer(json.Number(text)), text)
	}
}
