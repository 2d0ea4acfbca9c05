package kafkabridge

type lease struct{}

func (*lease) close() {}
