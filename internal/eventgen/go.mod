module github.com/crisp-go/crisp/internal/eventgen

go 1.25

require go.yaml.in/yaml/v4 v4.0.0
