package payload

import (
	"bytes"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"time"
)

// The first and the last millisecond of the years 1 to 9999. A number beyond
// them can't be a timestamp, and could not be formatted as one.
const (
	minMilli = -62_135_596_800_000
	maxMilli = 253_402_300_799_999
)

// A time since 1970 from minSeconds on, and before endOfSeconds, is in seconds: those
// from 2001 to 5138 would be milliseconds of the years 1970 to 1973.
const (
	minSeconds   = 1e9
	endOfSeconds = 1e11
)

func inSeconds(n float64) bool { return minSeconds <= n && n < endOfSeconds }

// maxPlainDigits is how many digits always fit into an int64.
const maxPlainDigits = 18

// endOfExact is an integer up to which all are exact as a float64.
const endOfExact = 1e15

// Int reads an integer like Int64.
func (d *Decoder) Int(p Presence) int {
	n := d.Int64(p)
	if int64(int(n)) != n { // on 32 bits
		d.Note(Integer, outOfRange)
		return 0
	}
	return int(n)
}

// Int64 reads an integer exactly, in whatever form it is written: 45, 45.0,
// 4.5e1 or "45". A number with a fraction, or beyond 64 bits, is a problem.
func (d *Decoder) Int64(p Presence) int64 {
	if n, ok := d.natural(); ok {
		return n
	}
	lit, plain := d.numeral(Integer, p)
	if plain && len(lit) <= maxPlainDigits {
		return atoi(lit)
	}
	n, ok := integral(lit)
	if !ok {
		d.Note(Integer, notAnInteger(lit))
	}
	return n
}

// notAnInteger returns what a Problem got for a number that is no 64-bit
// integer.
func notAnInteger(lit []byte) string {
	if digits, exponent, _ := decimal(lit); len(digits) > 0 && exponent >= 0 {
		return outOfRange
	}
	return Number
}

// Int64s reads an array of integers.
func (d *Decoder) Int64s(p Presence) []int64 {
	if !d.Array(p) {
		return nil
	}
	var all []int64
	for element(d, &all, 1) {
		all = append(all, d.Int64(Required))
	}
	return all
}

// Float64 reads a number.
func (d *Decoder) Float64(p Presence) float64 {
	start := d.pos
	if n, ok := d.natural(); ok {
		if n < endOfExact {
			return float64(n)
		}
		d.pos = start
	}
	lit, _ := d.numeral(Number, p)
	if lit == nil {
		return 0
	}
	f, ok := parseFloat(lit)
	if !ok {
		d.Note(Number, outOfRange)
	}
	return f
}

// Time reads a time since 1970, in milliseconds or in seconds: which of them is
// told by magnitude. A fraction is kept to the microsecond. 0 is the zero Time.
func (d *Decoder) Time(p Presence) time.Time {
	start := d.pos
	if ms, ok := d.natural(); ok {
		if endOfSeconds <= ms && ms <= maxMilli {
			return time.UnixMilli(ms).UTC()
		}
		d.pos = start
	}
	lit, _ := d.numeral(Number, p)
	if lit == nil {
		return time.Time{}
	}
	f, ok := parseFloat(lit)
	if inSeconds(f) {
		f *= 1e3
	}
	if !ok || f < minMilli || f > maxMilli {
		d.Note(Number, outOfRange)
		return time.Time{}
	}
	ms, fraction := math.Modf(f)
	return unixMilli(int64(ms), time.Duration(math.Round(fraction*1e3))*time.Microsecond)
}

func unixMilli(ms int64, fraction time.Duration) time.Time {
	if ms == 0 && fraction == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).Add(fraction).UTC()
}

// Duration reads a number of units as a duration.
func (d *Decoder) Duration(p Presence, unit time.Duration) time.Duration {
	lit, _ := d.numeral(Number, p)
	if lit == nil {
		return 0
	}
	f, ok := parseFloat(lit)
	f = math.Round(f * float64(unit))
	if !ok || math.Abs(f) >= math.MaxInt64 {
		d.Note(Number, outOfRange)
		return 0
	}
	return time.Duration(f)
}

// numeral moves past the value at the cursor and returns its text if it is a
// number, bare or in quotes; else the text is nil, and that may be a problem.
func (d *Decoder) numeral(wanted string, p Presence) (lit []byte, plain bool) {
	c := d.char()
	if startsNumber(c) {
		return d.number()
	}
	if c == '"' {
		return d.quotedNumber(wanted)
	}
	d.mismatch(wanted, p)
	return nil, false
}

// quotedNumber is numeral for a string.
func (d *Decoder) quotedNumber(wanted string) (lit []byte, plain bool) {
	text := Decoder{data: []byte(d.text())}
	if startsNumber(text.char()) {
		lit, plain = text.number()
	}
	if lit == nil || text.pos < len(text.data) {
		d.Note(wanted, String)
		return nil, false
	}
	return lit, plain
}

// natural moves past the number at the cursor and returns it, if it is of the usual
// form: 1 to 18 digits that don't begin with zero, and neither a sign nor a fraction
// nor an exponent. Otherwise it does nothing.
func (d *Decoder) natural() (n int64, ok bool) {
	data, i := d.data, d.pos
	if c := d.char(); c-'1' >= 9 {
		return 0, false
	}
	for ; i+8 <= len(data); i += 8 {
		word := wordAt(data, i) ^ '0'*ones // digits become their values
		count := bits.TrailingZeros64(tenOrMore(word)) / 8
		n = n*powers[count] + eightDigits(word<<(64-8*count)) // with zeros before them
		if count < 8 {
			return n, d.passNatural(i + count)
		}
	}
	for ; i < len(data) && data[i]-'0' <= 9; i++ {
		n = n*10 + int64(data[i]-'0')
	}
	return n, d.passNatural(i)
}

// passNatural moves past the digits up to end, unless that is not the number's end, or
// they are too many.
func (d *Decoder) passNatural(end int) bool {
	if end-d.pos > maxPlainDigits || end < len(d.data) && (d.data[end] == '.' || d.data[end]|0x20 == 'e') {
		return false
	}
	d.pos = end
	return true
}

var powers = [...]int64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8}

// tenOrMore sets the highest bit of each byte of the word that is ten or more. As in
// specialBytes, a carry makes only marks above the lowest uncertain.
func tenOrMore(word uint64) uint64 {
	return (word + (0x80-10)*ones | word) & highs
}

// eightDigits returns the number of eight digits, the first of which is in the lowest
// byte: it adds up neighbours, first digits to pairs, then pairs of pairs.
func eightDigits(digits uint64) int64 {
	const every4 = 0x000000FF_000000FF
	pairs := digits*10 + digits>>8
	first, second := pairs&every4, pairs>>16&every4
	return int64((first*(1_000_000<<32+100) + second*(10_000<<32+1)) >> 32)
}

func startsNumber(c byte) bool { return c-'0' <= 9 || c == '-' }

// number moves past the number at the cursor and returns its text. plain means
// that it has neither fraction nor exponent.
func (d *Decoder) number() (lit []byte, plain bool) {
	start := d.pos
	if d.char() == '-' {
		d.pos++
	}
	if d.char() == '0' {
		d.pos++ // no digit may follow
	} else if !d.digits() {
		return nil, false
	}
	plain = true
	if d.char() == '.' {
		plain = false
		d.pos++
		if !d.digits() {
			return nil, false
		}
	}
	if c := d.char(); c == 'e' || c == 'E' {
		plain = false
		d.pos++
		if c := d.char(); c == '+' || c == '-' {
			d.pos++
		}
		if !d.digits() {
			return nil, false
		}
	}
	return d.data[start:d.pos], plain
}

// digits moves past one digit or more.
func (d *Decoder) digits() bool {
	start := d.pos
	for d.pos < len(d.data) && d.data[d.pos]-'0' <= 9 {
		d.pos++
	}
	if d.pos == start {
		d.fail("a digit")
		return false
	}
	return true
}

// atoi returns the value of a plain number of at most maxPlainDigits.
func atoi(lit []byte) int64 {
	negative := len(lit) > 0 && lit[0] == '-'
	if negative {
		lit = lit[1:]
	}
	var n int64
	for _, c := range lit {
		n = n*10 + int64(c-'0')
	}
	if negative {
		return -n
	}
	return n
}

// parseFloat returns the value of a number, or false if a float64 can't hold it.
func parseFloat(lit []byte) (float64, bool) {
	f, err := strconv.ParseFloat(string(lit), 64)
	if err != nil {
		return 0, false
	}
	return f, true
}

// integral returns the value of a number, or false if it has a fraction once its
// exponent is applied, or exceeds 64 bits.
func integral(lit []byte) (int64, bool) {
	digits, exponent, negative := decimal(lit)
	if len(digits) == 0 {
		return 0, true
	}
	const maxDigits = 19 // no int64 has more, and any number of 19 digits fits into a uint64
	if exponent < 0 || len(digits)+exponent > maxDigits {
		return 0, false
	}
	var n uint64
	for _, c := range digits {
		n = n*10 + uint64(c-'0')
	}
	for range exponent {
		n *= 10
	}
	switch {
	case negative && n <= -math.MinInt64:
		return -int64(n), true
	case !negative && n <= math.MaxInt64:
		return int64(n), true
	}
	return 0, false
}

// decimal splits a number into its digits, without zeros at either end, and the
// power of ten to multiply them by.
func decimal(lit []byte) (digits []byte, exponent int, negative bool) {
	if e := bytes.IndexAny(lit, "eE"); e >= 0 {
		// ParseInt clamps to so many bits, which leaves room to add to the exponent.
		const bitSize = 31
		power, _ := strconv.ParseInt(string(lit[e+1:]), 10, bitSize)
		lit, exponent = lit[:e], int(power)
	}
	lit, negative = bytes.CutPrefix(lit, []byte("-"))
	whole, fraction, _ := bytes.Cut(lit, []byte("."))
	digits = bytes.TrimLeft(slices.Concat(whole, fraction), "0")
	significant := bytes.TrimRight(digits, "0")
	exponent += len(digits) - len(significant) - len(fraction)
	return significant, exponent, negative
}
