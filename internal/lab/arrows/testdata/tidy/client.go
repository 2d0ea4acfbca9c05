// Package tidy has a knot that is the methods of Client, by what people have
// written alone.
package tidy

import "example.test/tidy/internal/delivery"

// Client has methods in two files.
type Client struct {
	calls int
	queue delivery.Queue
}

// Call does nothing.
func (c *Client) Call() error { return c.send() }
