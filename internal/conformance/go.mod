module github.com/crisp-go/crisp/internal/conformance

go 1.25

require (
	github.com/coder/websocket v1.8.15
	github.com/crisp-go/crisp v0.0.0
	github.com/googollee/go-socket.io v1.7.0
	github.com/stretchr/testify v1.12.1
)

require (
	github.com/gofrs/uuid v4.0.0+incompatible // indirect
	github.com/gomodule/redigo v1.8.4 // indirect
	github.com/gorilla/websocket v1.4.2 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
)

replace github.com/crisp-go/crisp => ../..
