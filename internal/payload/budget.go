package payload

import "unsafe"

// How many bytes of memory a Decoder may take for lists and objects: so many for each byte of the
// data, and some more. What Crisp sends takes one or two for each; without a limit, "{}," would
// take more than a hundred.
const (
	budgetPerByte = 8
	budgetAtLeast = 256 << 10
)

// spend takes bytes from the budget, and reports whether it had that many. If
// not, it has none for the rest of the data.
func (d *Decoder) spend(bytes int) bool {
	if d.budget < bytes {
		d.budget = 0
		return false
	}
	d.budget -= bytes
	return true
}

// cutOff skips a value that the budget has no room for.
func (d *Decoder) cutOff() {
	d.skip()
	d.Note(lessData, tooMuch)
}

// room makes room for one more element of a list that begins at position start; the first time,
// for first elements. It reports whether the budget allows it.
func room[T any](d *Decoder, all *[]T, first, start int) bool {
	n := len(*all)
	if n < cap(*all) {
		return true
	}
	size := int(unsafe.Sizeof(*new(T)))
	more := first
	if n > 0 {
		more = d.growth(n, start, d.budget/size-n)
	}
	if !d.spend((n + more) * size) {
		return false
	}
	grown := make([]T, n, n+more)
	copy(grown, *all)
	*all = grown
	return true
}

// growth returns for how many more elements to make room in a list of n that began at position
// start. It estimates how many are left: as many as fit into the rest of the data, if they are as
// long as those so far. The list may be over sooner, so it is at most three times n, and at most
// affordable; it may be longer, so it is at least half of n, since growing in small steps leaves
// much garbage.
func (d *Decoder) growth(n, start, affordable int) int {
	rest := int(int64(len(d.data)-d.pos) * int64(n) / int64(d.pos-start))
	likely := min(rest+rest/16+1, 3*n, affordable)
	return max(likely, n/2, 1)
}

const anySize = int(unsafe.Sizeof(any(nil)))

// boxed returns how many bytes a value that begins with c takes behind an interface.
func boxed(c byte) int {
	const number, text, list, object = 8, 16, 24, 48
	switch c {
	case '"':
		return text
	case '[':
		return list
	case '{':
		return object
	case 't', 'f', 'n':
		return 0
	default:
		return number
	}
}

// entryCost returns how many bytes one more entry takes in a map of n, with values of that size. A
// map makes room for some entries at first, and doubles when it is full, which costs a multiple
// of their size, with what is left behind.
func entryCost(n, size int) int {
	const atFirst, growth = 8, 5
	size += int(unsafe.Sizeof(""))
	switch {
	case n == 0:
		return atFirst * size
	case n < atFirst || n&(n-1) != 0: // no power of two
		return 0
	default:
		return growth * n * size
	}
}

// more is More without the elements that are null.
func (d *Decoder) more() bool {
	for d.More() {
		if d.char() != 'n' {
			return true
		}
		d.literal("null")
	}
	return false
}

// element is more, with room made for the element in all; the first time, for first elements. When
// the budget is used up, it skips the rest of the array and returns false.
func element[T any](d *Decoder, all *[]T, first int) bool {
	if !d.more() {
		return false
	}
	if room(d, all, first, d.step.pos) {
		return true
	}
	d.cutOff()
	for d.More() {
		d.skip()
	}
	return false
}
