package inspect

// index has the positions of records by what filters ask for, in their order.
type index struct {
	event, session, website map[string][]uint64
}

func newIndex() index {
	return index{make(map[string][]uint64), make(map[string][]uint64), make(map[string][]uint64)}
}

func (x index) each(e *entry, do func(of map[string][]uint64, key string)) {
	do(x.event, e.Event)
	do(x.session, e.SessionID)
	do(x.website, e.WebsiteID)
}

func (x index) add(e *entry, position uint64) {
	x.each(e, func(of map[string][]uint64, key string) {
		if key != "" {
			of[key] = append(of[key], position)
		}
	})
}

// remove takes off the oldest entry of all.
func (x index) remove(e *entry) {
	x.each(e, func(of map[string][]uint64, key string) {
		switch positions := of[key]; len(positions) {
		case 0:
		case 1:
			delete(of, key)
		default:
			of[key] = positions[1:]
		}
	})
}

// lookup returns the shortest list of positions that has all that a query may be met
// by; narrowed is false if no list does.
func (x index) lookup(q Query) (positions []uint64, narrowed bool) {
	for _, t := range q.terms {
		var of map[string][]uint64
		switch {
		case t.negated || t.isPattern():
			continue
		case t.key == "event":
			of = x.event
		case t.key == "session":
			of = x.session
		case t.key == "website":
			of = x.website
		default:
			continue
		}
		if list := of[t.value]; !narrowed || len(list) < len(positions) {
			positions, narrowed = list, true
		}
	}
	return positions, narrowed
}
