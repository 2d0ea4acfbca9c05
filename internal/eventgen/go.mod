module github.com/crisp-go/crisp/internal/eventgen

go 1.25

require (
	github.com/stretchr/testify v1.12.1
	go.yaml.in/yaml/v4 v4.0.0
)

require go.yaml.in/yaml/v3 v3.0.5 // indirect
