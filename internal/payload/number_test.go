package payload_test

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/internal/payload"
)

func TestInt64(t *testing.T) {
	for text, want := range map[string]int64{
		`0`: 0, `-0`: 0, `45`: 45, `-1`: -1, `70000`: 70000,
		`45.0`: 45, `45.000`: 45, `1e3`: 1000, `1E+3`: 1000, `4.5e1`: 45, `450e-1`: 45, `-1.50e2`: -150, `0e5`: 0, `0.0e-99999`: 0,
		`9007199254740993`:    9007199254740993,
		`9007199254740993.0`:  9007199254740993,
		`900719925474099.3e1`: 9007199254740993,
		`999999999999999999`:  999999999999999999,
		`9223372036854775807`: math.MaxInt64, `-9223372036854775808`: math.MinInt64,
		`9.223372036854775807e18`: math.MaxInt64, `0.` + strings.Repeat("0", 999) + `1e1000`: 1,
		`1` + strings.Repeat("0", 999) + `e-999`: 1,
	} {
		for _, text := range []string{text, text + spaces} {
			d := payload.NewDecoder([]byte(text))
			assert.Equal(t, want, d.Int64(payload.Required), text)
			require.NoError(t, d.End())
			assert.Empty(t, d.Problems(), text)
		}
	}
	const outOfRange = "number out of range"
	for text, got := range map[string]string{
		`45.5`: payload.Number, `1e-1`: payload.Number, `0.1`: payload.Number, `1e-999999999999`: payload.Number,
		`9223372036854775808`: outOfRange, `-9223372036854775809`: outOfRange, `10000000000000000000`: outOfRange,
		`99999999999999999999`: outOfRange, `1e19`: outOfRange, `1e999999999999`: outOfRange, `-1e400`: outOfRange,
	} {
		for _, text := range []string{text, text + spaces} {
			d := payload.NewDecoder([]byte(text))
			assert.Zero(t, d.Int64(payload.Required), text)
			require.NoError(t, d.End())
			assert.Equal(t, []payload.Problem{{Wanted: payload.Integer, Got: got}}, d.Problems(), text)
		}
	}
}

// spaces keep what is before them away from the end of the data, where there is no
// reading eight bytes at a time.
const spaces = "         "

func TestIntegersOfAnyLength(t *testing.T) {
	const digits = "987654321098765432109876543210"
	for n := 1; n <= len(digits); n++ {
		want, err := strconv.ParseInt(digits[:n], 10, 64)
		d := payload.NewDecoder([]byte("[" + digits[:n] + "]" + spaces))
		got := d.Int64s(payload.Required)
		require.NoError(t, d.End())
		if err != nil {
			assert.Equal(t, []payload.Problem{{Path: "[0]", Wanted: payload.Integer, Got: "number out of range"}}, d.Problems())
			continue
		}
		assert.Equal(t, []int64{want}, got)
		assert.Empty(t, d.Problems())
	}
}

func FuzzInt64(f *testing.F) {
	for _, text := range texts {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var want int64
		if json.Unmarshal(text, &want) != nil || string(bytes.TrimSpace(text)) == "null" {
			return
		}
		for _, text := range [][]byte{text, append(text[:len(text):len(text)], spaces...)} {
			d := payload.NewDecoder(text)
			require.Equal(t, want, d.Int64(payload.Required))
			require.NoError(t, d.End())
			require.Empty(t, d.Problems())
		}
	})
}

func TestFloat64IsEncodingJSONs(t *testing.T) {
	for _, text := range []string{
		`0`, `-0`, `1`, `-1`, `45.5`, `0.1`, `1e-7`, `1e21`, `123456789012345`, `1234567890123456`, `12345678901234567890`,
		`1.7976931348623157e308`, `5e-324`, `1e-400`, `48.117266`, `-1.6777926`,
	} {
		var want float64
		require.NoError(t, json.Unmarshal([]byte(text), &want))
		for _, text := range []string{text, text + spaces} {
			d := payload.NewDecoder([]byte(text))
			got := d.Float64(payload.Required)
			assert.Equal(t, math.Float64bits(want), math.Float64bits(got), text)
			assert.Empty(t, d.Problems(), text)
		}
	}
	d := payload.NewDecoder([]byte(`1e999`))
	assert.Zero(t, d.Float64(payload.Required))
	require.NoError(t, d.End())
	assert.Equal(t, []payload.Problem{{Wanted: payload.Number, Got: "number out of range"}}, d.Problems())
}

func TestTime(t *testing.T) {
	for text, want := range map[string]time.Time{
		`0`: {}, `0.0`: {},
		`1773569824159`:     time.Date(2026, 3, 15, 10, 17, 4, 159e6, time.UTC),
		`1773569824159.0`:   time.Date(2026, 3, 15, 10, 17, 4, 159e6, time.UTC),
		`1.773569824159e12`: time.Date(2026, 3, 15, 10, 17, 4, 159e6, time.UTC),
		`1773569824159.25`:  time.Date(2026, 3, 15, 10, 17, 4, 159_250e3, time.UTC),
		`1773569824159.123`: time.Date(2026, 3, 15, 10, 17, 4, 159_123e3, time.UTC),
		`-157766400000.5`:   time.Date(1964, 12, 31, 23, 59, 59, 999_500e3, time.UTC),
		`100000000000`:      time.Date(1973, 3, 3, 9, 46, 40, 0, time.UTC),
		`-100000000000`:     time.Date(1966, 10, 31, 14, 13, 20, 0, time.UTC),
		`253402300799999`:   time.Date(9999, 12, 31, 23, 59, 59, 999e6, time.UTC),
		`-62135596799999`:   time.Date(1, 1, 1, 0, 0, 0, 1e6, time.UTC),
		`0.0001`:            {}, // less than is kept

		// seconds
		`999999999`:         time.UnixMilli(999_999_999).UTC(),
		`1`:                 time.UnixMilli(1).UTC(),
		`-1`:                time.UnixMilli(-1).UTC(),
		`1000000000`:        time.Unix(1_000_000_000, 0).UTC(),
		`1773569824`:        time.Date(2026, 3, 15, 10, 17, 4, 0, time.UTC),
		`1773569824.0`:      time.Date(2026, 3, 15, 10, 17, 4, 0, time.UTC),
		`1773569824.159`:    time.Date(2026, 3, 15, 10, 17, 4, 159e6, time.UTC),
		`1773569824.159251`: time.Date(2026, 3, 15, 10, 17, 4, 159_251e3, time.UTC),
		`1.773569824e9`:     time.Date(2026, 3, 15, 10, 17, 4, 0, time.UTC),
		`99999999999`:       time.Date(5138, 11, 16, 9, 46, 39, 0, time.UTC),
		`-62135596800`:      time.UnixMilli(-62135596800).UTC(),

		`"1773569824"`:    time.Date(2026, 3, 15, 10, 17, 4, 0, time.UTC),
		`"1773569824159"`: time.Date(2026, 3, 15, 10, 17, 4, 159e6, time.UTC),
		`"1773569824.5"`:  time.Date(2026, 3, 15, 10, 17, 4, 5e8, time.UTC),
	} {
		for _, text := range []string{text, text + spaces} {
			d := payload.NewDecoder([]byte(text))
			assert.Equal(t, want, d.Time(payload.Required), text)
			require.NoError(t, d.End())
			assert.Empty(t, d.Problems(), text)
		}
	}
	for _, text := range []string{`253402300800000`, `-62135596800001`, `1e300`, `-1e999`, `99999999999999999999`, `1773569824159000`, `1773569824159000000`, `"1773569824159000"`} {
		for _, text := range []string{text, text + spaces} {
			d := payload.NewDecoder([]byte(text))
			assert.Zero(t, d.Time(payload.Required), text)
			require.NoError(t, d.End())
			assert.Equal(t, []payload.Problem{{Wanted: payload.Number, Got: "number out of range"}}, d.Problems(), text)
		}
	}
}

func TestDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		`0`: 0, `90`: 90 * time.Minute, `-330`: -330 * time.Minute, `0.5`: 30 * time.Second, `1e2`: 100 * time.Minute,
		`0.001`: 60 * time.Millisecond,
	} {
		d := payload.NewDecoder([]byte(text))
		assert.Equal(t, want, d.Duration(payload.Required, time.Minute), text)
		assert.Empty(t, d.Problems(), text)
	}
	for _, text := range []string{`1e300`, `-1e999`, `153722867.3e3`} {
		d := payload.NewDecoder([]byte(text))
		assert.Zero(t, d.Duration(payload.Required, time.Minute), text)
		require.NoError(t, d.End())
		assert.Equal(t, []payload.Problem{{Wanted: payload.Number, Got: "number out of range"}}, d.Problems(), text)
	}
}
