package tangled

type box struct{ lid lid }

func (b box) open() { b.lid.lift() }
