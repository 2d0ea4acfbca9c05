// Package payload reaches what is above it by way of another.
package payload

import _ "example.test/tangled/internal/words"
