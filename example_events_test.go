package crisp_test

import (
	"fmt"

	"github.com/crisp-go/crisp"
)

func ExampleDecode() {
	ev, err := crisp.Decode("session:set_state", []byte(`{
		"website_id": "f3c1a7e5-92d4-4b86-a1c0-7d2e9f4b6038",
		"session_id": "session_9b7d2c64-0e1f-4a53-8c6d-31f5a2e80b97",
		"inbox_id": 5,
		"state": "resolved"
	}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	switch ev := ev.(type) {
	case *crisp.SessionSetState:
		fmt.Println(ev.SessionID, "is", ev.State)
	case *crisp.UnknownEvent:
		fmt.Println("something new:", ev.Name)
	}
	for _, problem := range ev.EventMeta().Problems {
		fmt.Println(problem)
	}
	// Output:
	// session_9b7d2c64-0e1f-4a53-8c6d-31f5a2e80b97 is resolved
	// inbox_id: wanted string, got number
}

func ExampleContent() {
	describe := func(content crisp.Content) string {
		switch c := content.(type) {
		case crisp.TextContent:
			return string(c)
		case crisp.NoteContent:
			return "note: " + string(c)
		case *crisp.FileContent:
			return "file " + c.Name
		case *crisp.AnimationContent:
			return "animation " + c.URL
		case *crisp.AudioContent:
			return fmt.Sprintf("%s of sound", c.Duration)
		case *crisp.PickerContent:
			return fmt.Sprintf("%s (%d choices)", c.Text, len(c.Choices))
		case *crisp.FieldContent:
			return c.Text + " " + c.Value
		case *crisp.CarouselContent:
			return fmt.Sprintf("%s (%d cards)", c.Text, len(c.Targets))
		case *crisp.EventContent:
			return "event " + c.Namespace
		case *crisp.UnknownContent:
			return "something of type " + c.Type
		default:
			return "nothing"
		}
	}
	for _, payload := range []string{
		`{"type":"text","content":"Hello"}`,
		`{"type":"audio","content":{"url":"https://example.com/note.ogg","type":"audio/ogg","duration":12.5}}`,
		`{"type":"hologram","content":[1,2,3]}`,
	} {
		ev, err := crisp.Decode("message:send", []byte(payload))
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(describe(ev.(*crisp.MessageSend).Content))
	}
	// Output:
	// Hello
	// 12.5s of sound
	// something of type hologram
}

func ExampleEvents() {
	for _, info := range crisp.Events() {
		if info.RTMOnly {
			fmt.Println(info.Name, "is a", info.GoType)
		}
	}
	// Output:
	// spam:message is a SpamMessage
	// spam:decision is a SpamDecision
	// people:import:progress is a PeopleImportProgress
	// people:import:done is a PeopleImportDone
	// widget:action:processed is a WidgetActionProcessed
	// media:animation:listed is a MediaAnimationListed
}
