module github.com/crisp-go/crisp

go 1.25

require (
	github.com/coder/websocket v1.8.15
	github.com/jarcoal/httpmock v1.4.2
	github.com/stretchr/testify v1.12.1
)

require go.yaml.in/yaml/v3 v3.0.5 // indirect
