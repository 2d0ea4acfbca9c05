package tangled

func pang(n int) { ping(n) }
