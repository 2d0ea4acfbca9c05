module github.com/crisp-go/crisp/bridge/natsbridge

go 1.26.0

replace github.com/crisp-go/crisp => ../..

require (
	github.com/crisp-go/crisp v0.0.0
	github.com/nats-io/nats.go v1.55.0
	github.com/stretchr/testify v1.12.1
)
