module example.test/tidy

go 1.25
