package fifo

import "math/bits"

// ring has the order of entries, from the oldest to the newest, and finds them by their hashes.
// It knows entries by numbers, from 1, and nothing of their types, so that it is compiled once.
type ring struct {
	len     int
	nodes   []node  // by number; node 0 links the newest and the oldest
	free    int32   // the first of the numbers that are not in use, linked by newer; 0 = none
	buckets []int32 // by hash: the first number of each chain; 0 = none. There is a power of two of them
}

// minRoom is how many entries there is room for at least.
const minRoom = 8

type node struct {
	older, newer int32
	chained      int32 // the next one of the same bucket; 0 = none
	hash         uint32
}

// resize makes room for a number of entries. It gives them new numbers, and returns the ones
// that they had before, by the new ones; nil if the ring was new.
func (r *ring) resize(room int) (from []int32) {
	before := *r
	*r = ring{nodes: make([]node, room+1), buckets: make([]int32, powerOfTwo(room))}
	for i := int32(room); i > 0; i-- {
		r.nodes[i].newer, r.free = r.free, i
	}
	if before.nodes == nil {
		return nil
	}
	from = make([]int32, before.len+1)
	for i := before.oldest(); i != 0; i = before.nodes[i].newer {
		from[r.add(before.nodes[i].hash)] = i
	}
	return from
}

// powerOfTwo is the least power of two that is at least n, and at least 1.
func powerOfTwo(n int) int { return 1 << bits.Len(uint(max(n, 1)-1)) }

func (r *ring) full() bool { return r.free == 0 }

// larger is how many entries to make room for when it is full.
func (r *ring) larger(limit int) int { return min(r.len+max(r.len/8, minRoom), limit) }

// sparse reports whether there is room for much more than there is.
func (r *ring) sparse() bool {
	room := len(r.nodes) - 1
	return room > minRoom && r.len < room/4
}

// oldest is 0 if there is none.
func (r *ring) oldest() int32 { return r.nodes[0].newer }

// newest is 0 if there is none.
func (r *ring) newest() int32 { return r.nodes[0].older }

// first is the first that has a hash, 0 if none has.
func (r *ring) first(hash uint32) int32 { return r.fitting(*r.bucket(hash), hash) }

// next is the next that has the same hash, 0 if none has.
func (r *ring) next(i int32) int32 { return r.fitting(r.nodes[i].chained, r.nodes[i].hash) }

// fitting is the first of a chain, from i on, that has a hash.
func (r *ring) fitting(i int32, hash uint32) int32 {
	for i != 0 && r.nodes[i].hash != hash {
		i = r.nodes[i].chained
	}
	return i
}

func (r *ring) bucket(hash uint32) *int32 { return &r.buckets[hash&uint32(len(r.buckets)-1)] }

// add makes an entry the newest, and returns its number. The ring must not be full.
func (r *ring) add(hash uint32) int32 {
	i, end, bucket := r.free, &r.nodes[0], r.bucket(hash)
	r.free = r.nodes[i].newer
	r.nodes[i] = node{older: end.older, chained: *bucket, hash: hash}
	r.nodes[end.older].newer = i
	end.older, *bucket = i, i
	r.len++
	return i
}

func (r *ring) remove(i int32) {
	n := r.nodes[i]
	at := r.bucket(n.hash)
	for *at != i {
		at = &r.nodes[*at].chained
	}
	*at = n.chained
	r.nodes[n.older].newer, r.nodes[n.newer].older = n.newer, n.older
	r.nodes[i] = node{newer: r.free}
	r.free = i
	r.len--
}
