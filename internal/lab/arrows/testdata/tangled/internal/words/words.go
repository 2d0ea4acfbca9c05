// Package words is in no layer.
package words

import _ "example.test/tangled/internal/delivery"
