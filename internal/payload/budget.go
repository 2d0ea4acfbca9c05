package payload

import "unsafe"

// How many bytes a Decoder may take for lists and objects: so many for each byte
// of the data, and some more. What Crisp sends takes one or two for each; without
// a limit, "{}," would take more than a hundred.
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

// room makes room for one more element of a list that begins at start, at first
// for several, and reports whether the budget had it.
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

// growth returns for how many more elements to make room in a list of n that began
// at start: for as many as the rest of the data has, if all of it is of this list, and
// its elements are as long as those so far. But the list may be over soon, so that it
// is no more than triple, nor than affordable; and it may go on for longer, and what
// grows in small steps leaves much behind.
func (d *Decoder) growth(n, start, affordable int) int {
	rest := int(int64(len(d.data)-d.pos) * int64(n) / int64(d.pos-start))
	likely := min(rest+rest/16+1, 3*n, affordable)
	return max(likely, n/2, 1)
}

const anySize = int(unsafe.Sizeof(any(nil)))

// boxed is what a value that begins with c takes in an interface.
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

// entryCost is what one more entry takes in a map that has n, with values of that
// size. A map makes room for some entries at first, and then for as many again;
// that takes a multiple of their size, for what is copied and left behind.
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

// more is More that passes over null.
func (d *Decoder) more() bool {
	for d.More() {
		if d.char() != 'n' {
			return true
		}
		d.literal("null")
	}
	return false
}

// element is more, with room for the element. It is false when the budget is
// used up: the rest of the array is skipped then.
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
