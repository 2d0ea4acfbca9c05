module example.test/tangled

go 1.25
