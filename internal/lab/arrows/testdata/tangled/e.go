package tangled

type lid struct{}

func (lid) lift() { _ = box.open }
