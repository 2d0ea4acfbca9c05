package tangled

func pong(n int) { pang(n) }
