package doctor

import (
	"fmt"
	"time"
)

// Status is the result of a check.
type Status string

// The statuses.
const (
	OK      Status = "ok"
	Warning Status = "warning" // it works, but may not always
	Wrong   Status = "wrong"
	Skipped Status = "skipped" // it can't be checked, or was not asked for
)

// Finding is what a check has found.
type Finding struct {
	Check  string `json:"check"`
	Status Status `json:"status"`
	Saw    string `json:"saw"`
	Advice string `json:"advice,omitempty"` // what to do; empty for nothing
}

func ok(format string, args ...any) Finding {
	return Finding{Status: OK, Saw: fmt.Sprintf(format, args...)}
}

func skipped(format string, args ...any) Finding {
	return Finding{Status: Skipped, Saw: fmt.Sprintf(format, args...)}
}

func warning(format string, args ...any) Finding {
	return Finding{Status: Warning, Saw: fmt.Sprintf(format, args...)}
}

func wrong(format string, args ...any) Finding {
	return Finding{Status: Wrong, Saw: fmt.Sprintf(format, args...)}
}

// do returns the finding with advice.
func (f Finding) do(format string, args ...any) Finding {
	f.Advice = fmt.Sprintf(format, args...)
	return f
}

// rounded rounds a duration for people.
func rounded(d time.Duration) time.Duration {
	switch {
	case d.Abs() >= time.Minute:
		return d.Round(time.Second)
	case d.Abs() >= time.Second:
		return d.Round(100 * time.Millisecond)
	default:
		return max(d.Round(time.Millisecond), time.Millisecond)
	}
}
