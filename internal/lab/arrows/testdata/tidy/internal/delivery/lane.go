package delivery

type lane[T any] struct{ items []T }

func (l *lane[T]) wake() {}

var total int

const first, second, third, fourth = 1, 2, 3, 4
