package tidy

const limit = 10

// A local variable has a name that send.go declares for its package.
func localOnly() int {
	ErrLimit := 1
	return ErrLimit
}

var _ = localOnly
