package tidy

import "errors"

func (c *Client) send() error {
	c.calls++
	c.queue.Put("call")
	if c.calls > limit {
		return ErrLimit
	}
	return nil
}

// ErrLimit is declared where it is used.
var ErrLimit = errors.New("too many calls")
