package rest

// hidden returns a secret as it is printed: whether there is one, and not what it is.
func hidden[T any](secret T) T {
	const shown = "[secret]"
	var none T
	switch v := any(&secret).(type) {
	case *string:
		if *v != "" {
			*v = shown
		}
	case *Opt[string]:
		if text, ok := v.Get(); ok && text != "" {
			*v = Set(shown)
		}
	default:
		return none
	}
	return secret
}
