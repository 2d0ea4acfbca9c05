// Package payload is the lowest.
package payload

import "strings"

// Trim is all there is.
func Trim(text string) string { return strings.TrimSpace(text) }
