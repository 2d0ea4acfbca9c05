module github.com/crisp-go/crisp/internal/lab/bench

go 1.25

require (
	github.com/coder/websocket v1.8.15
	github.com/crisp-go/crisp v0.0.0
	github.com/stretchr/testify v1.12.1
)

require go.yaml.in/yaml/v3 v3.0.5 // indirect

replace github.com/crisp-go/crisp => ../../..
