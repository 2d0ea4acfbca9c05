module github.com/crisp-go/crisp/internal/lab/bench/gosdk

go 1.25
