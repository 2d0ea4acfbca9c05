package kafkabridge

import (
	"context"
	"errors"

	"github.com/crisp-go/crisp/bridge"
)

func (c *Consumer) Bury(ctx context.Context, letter bridge.DeadLetter) error {
	return errors.New("not yet")
}
