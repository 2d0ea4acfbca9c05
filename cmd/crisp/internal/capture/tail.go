package capture

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/crisp-go/crisp/cmd/crisp/internal/record"
)

// Tail calls each with the records in the last bytes of a capture, and their runs. A
// missing or empty file has none. Lines that can't be read are left out.
func Tail(path string, bytes int64, each func(run string, r record.Record)) error {
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // it is only read
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		return err
	}
	reader, err := NewReader(file)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	reader.from = info.Size() - bytes
	for {
		r, err := reader.Next()
		var note *NoteError
		switch {
		case err == nil:
			each(reader.Run(), r)
		case errors.Is(err, io.EOF):
			return nil
		case !errors.As(err, &note):
			return fmt.Errorf("%s: %w", path, err)
		}
	}
}
