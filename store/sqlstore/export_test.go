package sqlstore

import "context"

// Purge deletes what is over, whenever it was done last.
func Purge(ctx context.Context, s *Store) error {
	s.purged.Store(-int64(purgeInterval) * 2)
	return s.purge(ctx)
}
