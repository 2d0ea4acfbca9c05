package crisp

// Content is what a message holds: one of [TextContent], [NoteContent],
// [*FileContent], [*AnimationContent], [*AudioContent], [*PickerContent],
// [*FieldContent], [*CarouselContent], [*EventContent] and [*UnknownContent].
// The set is sealed: a type switch over it can be complete.
type Content interface {
	// ContentType is the message's type on the wire, such as "text".
	ContentType() string
}
