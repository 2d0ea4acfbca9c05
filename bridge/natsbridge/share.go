package natsbridge

import (
	"cmp"
	"hash/fnv"
	"slices"
	"strconv"
)

// share returns which of so many partitions are a member's, when these members are there,
// by rendezvous hashing with a limit: each member has as many as any other, or one more. All
// who know the same members share in the same way, whatever the order.
func share(partitions int, members []string, self string) map[int]bool {
	type pair struct {
		weight    uint64
		partition int
		member    string
	}
	pairs := make([]pair, 0, partitions*len(members))
	for p := range partitions {
		for _, m := range members {
			pairs = append(pairs, pair{weight(m, p), p, m})
		}
	}
	slices.SortFunc(pairs, func(a, b pair) int {
		return cmp.Or(cmp.Compare(b.weight, a.weight), cmp.Compare(a.partition, b.partition), cmp.Compare(a.member, b.member))
	})
	least, extra := partitions/len(members), partitions%len(members)
	count, taken, mine := make(map[string]int), make(map[int]bool), make(map[int]bool)
	for _, pair := range pairs {
		has := count[pair.member]
		if taken[pair.partition] || has > least || has == least && extra == 0 {
			continue
		}
		if has == least {
			extra--
		}
		count[pair.member]++
		taken[pair.partition] = true
		if pair.member == self {
			mine[pair.partition] = true
		}
	}
	return mine
}

// weight is how much a member wants a partition.
func weight(member string, partition int) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(member + "/" + strconv.Itoa(partition))) // never fails
	x := h.Sum64()
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9 // FNV alone gives neighbours like weights
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
