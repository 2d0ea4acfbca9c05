package tidy

import "testing"

func TestLimit(t *testing.T) {
	if limit < 1 || Generated == nil {
		t.Fatal(ErrLimit)
	}
}
