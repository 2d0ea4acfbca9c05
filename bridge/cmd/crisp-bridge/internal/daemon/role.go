package daemon

import (
	"context"
	"sync"
	"time"

	"github.com/crisp-go/crisp"
)

// Role is what a process is to the RTM API.
type Role string

// The roles.
const (
	RoleLeader  Role = "leader"
	RoleStandby Role = "standby"
	RoleUnknown Role = "unknown" // the lease could not be asked for
)

// watchedLease is a lease that remembers what it has answered: what the role of this
// process is.
type watchedLease struct {
	crisp.Lease
	changed func(Role)

	mu    sync.Mutex // guards what follows
	role  Role
	until time.Time // from then on, the role is not known if the lease can't be asked for
	err   error     // of the last attempt
}

func watchLease(lease crisp.Lease, changed func(Role)) *watchedLease {
	return &watchedLease{Lease: lease, changed: changed, role: RoleUnknown}
}

// Acquire asks for the lease.
func (l *watchedLease) Acquire(ctx context.Context, holder string, ttl time.Duration) (bool, error) {
	asked := time.Now()
	held, err := l.Lease.Acquire(ctx, holder, ttl)
	l.mu.Lock()
	l.err = err
	before := l.role
	switch {
	case err == nil && held:
		l.role, l.until = RoleLeader, asked.Add(ttl)
	case err == nil:
		l.role, l.until = RoleStandby, asked.Add(ttl)
	case !time.Now().Before(l.until):
		l.role = RoleUnknown
	}
	after := l.role
	l.mu.Unlock()
	if after != before {
		l.changed(after)
	}
	return held, err
}

// Release gives the lease up.
func (l *watchedLease) Release(ctx context.Context, holder string) error {
	err := l.Lease.Release(ctx, holder)
	l.mu.Lock()
	before := l.role
	l.role = RoleStandby
	l.mu.Unlock()
	if before != RoleStandby {
		l.changed(RoleStandby)
	}
	return err
}

// state returns the role, and why it is not known.
func (l *watchedLease) state() (Role, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.role == RoleUnknown {
		return RoleUnknown, l.err
	}
	return l.role, nil
}
