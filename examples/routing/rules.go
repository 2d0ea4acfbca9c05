package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/crisp-go/crisp"
)

//go:embed rules.json
var exampleRules []byte

// rule says who gets a conversation. It is for one that meets all of Keywords,
// Language and Segment that it has.
type rule struct {
	Name      string   `json:"name"`
	Keywords  []string `json:"keywords"`  // one of these words is in the message
	Language  string   `json:"language"`  // that the visitor prefers, such as "fr"
	Segment   string   `json:"segment"`   // that the conversation is in
	Operators []string `json:"operators"` // their email addresses: one who is available gets it
	Inbox     string   `json:"inbox"`     // the name of that which it is moved to, if any
	Remind    duration `json:"remind"`    // after how long to remind, if nobody is available
}

// duration is "30m" or "2h" in JSON.
type duration time.Duration

func (d *duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = duration(parsed)
	return err
}

// loadRules reads rules from a file, or the example's if the path is empty. The first
// rule that a conversation meets counts.
func loadRules(path string) ([]rule, error) {
	data := exampleRules
	if path != "" {
		var err error
		if data, err = os.ReadFile(path); err != nil {
			return nil, err
		}
	}
	var rules []rule
	decoder := json.NewDecoder(strings.NewReader(string(data)))
	decoder.DisallowUnknownFields() // a word that is misspelt would be a rule for everybody
	if err := decoder.Decode(&rules); err != nil {
		return nil, fmt.Errorf("the rules of %q: %w", path, err)
	}
	for i, r := range rules {
		if err := r.check(); err != nil {
			return nil, fmt.Errorf("rule %d of %q: %w", i+1, path, err)
		}
	}
	return rules, nil
}

func (r *rule) check() error {
	switch {
	case r.Name == "":
		return fmt.Errorf("needs a name")
	case len(r.Keywords) == 0 && r.Language == "" && r.Segment == "":
		return fmt.Errorf("%s: needs keywords, a language or a segment", r.Name)
	case len(r.Operators) == 0 && r.Inbox == "":
		return fmt.Errorf("%s: needs operators or an inbox", r.Name)
	}
	for _, keyword := range r.Keywords {
		if len(words(keyword)) != 1 {
			return fmt.Errorf("%s: the keyword %q is not one word", r.Name, keyword)
		}
	}
	return nil
}

// match returns the first rule that a message meets, and says why in words.
func match(rules []rule, text string, meta crisp.ConversationMeta) (found *rule, why string) {
	said := words(text)
	for i := range rules {
		if reasons := rules[i].reasons(said, meta); reasons != nil {
			return &rules[i], strings.Join(reasons, ", ")
		}
	}
	return nil, ""
}

// reasons returns why a conversation meets the rule, or nil if it doesn't.
func (r *rule) reasons(said []string, meta crisp.ConversationMeta) (reasons []string) {
	if len(r.Keywords) > 0 {
		i := slices.IndexFunc(r.Keywords, func(keyword string) bool { return slices.Contains(said, words(keyword)[0]) })
		if i < 0 {
			return nil
		}
		reasons = append(reasons, fmt.Sprintf("the visitor wrote %q", r.Keywords[i]))
	}
	if r.Language != "" {
		if !prefers(meta.Device.Locales, r.Language) {
			return nil
		}
		reasons = append(reasons, fmt.Sprintf("the language is %q", r.Language))
	}
	if r.Segment != "" {
		if !slices.Contains(meta.Segments, r.Segment) {
			return nil
		}
		reasons = append(reasons, fmt.Sprintf("the segment is %q", r.Segment))
	}
	return reasons
}

// prefers reports whether the first of some locales, such as "fr-CA", is of a language.
func prefers(locales []string, language string) bool {
	if len(locales) == 0 {
		return false
	}
	first, _, _ := strings.Cut(locales[0], "-")
	return strings.EqualFold(first, language)
}

// words returns the words of a text in lower case.
func words(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}
