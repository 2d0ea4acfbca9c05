package crisp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Position is how far an RTM client has got: what it needs, after a restart, to
// know which span of time it has missed.
type Position struct {
	// Time is the last moment before which nothing is left to handle.
	Time time.Time `json:"time"`
	// Crisp is the same by Crisp's clock; zero if that was not known. It matters if this
	// machine's clock is set between two runs.
	Crisp time.Time `json:"crisp,omitzero"`
	// Handled are the keys of messages that were handled around Time and later, at most
	// 32,768, so that a backfill, which begins to search before Time, does not repeat them.
	Handled []uint64 `json:"handled,omitempty"`
}

// PositionStore keeps a [Position] between runs of a program. Load returns the
// zero Position if there is none yet. The client calls one method at a time; a
// Save has 10 s, by its context.
type PositionStore interface {
	Load(ctx context.Context) (Position, error)
	Save(ctx context.Context, p Position) error
}

// FilePosition keeps a position in a file. Saving is atomic: a new file is
// written and synced, then takes the old one's place, and the folder is synced.
// The file also has the position before, in case the last is torn all the same.
//
// The file need not exist, but its folder must, and be writable: otherwise [RTM.Run] fails.
// Each process, and each RTM in it, needs a file of its own: if somebody else has saved
// meanwhile, that is not overwritten, but an error that matches [ErrPosition].
//
// The new file is beside the old one, with ".crisp-", 16 hex digits and ".tmp" added to the
// name. One that was left because the program was killed is removed by the next Load of the
// same path.
func FilePosition(path string) PositionStore { return &filePosition{path: path} }

// filePosition is the store of FilePosition. The file has the newest record, and the one before.
type filePosition struct {
	path string
	last []byte // the newest record; nil = none
	read bool   // last is known
}

// A record is a line: the CRC-32 of the rest in hex, a space, and JSON.
const recordHeader = len("00000000 ")

func (f *filePosition) Load(context.Context) (Position, error) {
	removeLeftovers(f.path)
	p, record, err := f.newest()
	if err != nil {
		return Position{}, err
	}
	f.last, f.read = record, true
	return p, nil
}

// newest returns the newest position that can be read, and its record. Both are zero if there is
// no file.
func (f *filePosition) newest() (Position, []byte, error) {
	data, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return Position{}, nil, nil
	}
	if err != nil {
		return Position{}, nil, fmt.Errorf("crisp: reading the position: %w", err)
	}
	for record := range bytes.Lines(data) {
		if p, ok := parseRecord(record); ok {
			return p, bytes.Clone(record), nil
		}
	}
	return Position{}, nil, fmt.Errorf("%w: %s", ErrPosition, f.path)
}

// prepare returns an error if positions can't be saved. Without it that would show only when the
// first is saved, when events may already have been missed.
func (f *filePosition) prepare() error {
	if info, err := os.Stat(f.path); err == nil && info.IsDir() {
		return fmt.Errorf("crisp: FilePosition: %s is a folder: needs the path of a file", f.path)
	}
	// Named like the new file of a save, so that it is removed as a leftover if it stays.
	probe, err := os.OpenFile(newTempName(f.path), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("crisp: FilePosition: no file can be made in the folder of %s: is it there, and may this program write to it? %w", f.path, err)
	}
	return errors.Join(probe.Close(), removeIfThere(probe.Name()))
}

// removeIfThere removes a new file, unless another process, which took it for a leftover, has done
// so before.
func removeIfThere(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// checkOwner returns an error if somebody else has saved a position since the last Load or Save.
// It notes that position as the last, so that the error comes once.
func (f *filePosition) checkOwner() error {
	if !f.read {
		return nil
	}
	_, record, _ := f.newest() // a file that can't be read is replaced
	if record == nil || bytes.Equal(record, f.last) {
		return nil
	}
	f.last = record
	return fmt.Errorf("%w: another program, or another RTM, saves to %s: each needs a file of its own", ErrPosition, f.path)
}

func parseRecord(record []byte) (p Position, ok bool) {
	if len(record) < recordHeader || record[len(record)-1] != '\n' {
		return p, false
	}
	body := record[recordHeader:]
	if string(record[:recordHeader]) != checksum(body) {
		return p, false
	}
	return p, json.Unmarshal(body, &p) == nil
}

func checksum(body []byte) string { return fmt.Sprintf("%08x ", crc32.ChecksumIEEE(body)) }

func (f *filePosition) Save(_ context.Context, p Position) error {
	body, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("crisp: encoding the position: %w", err)
	}
	body = append(body, '\n')
	record := append([]byte(checksum(body)), body...)
	if err := f.checkOwner(); err != nil {
		return err
	}
	if err := replaceFile(f.path, append(bytes.Clone(record), f.last...)); err != nil {
		return fmt.Errorf("crisp: saving the position: %w", err)
	}
	f.last, f.read = record, true
	return nil
}

// replaceFile gives a file new content, so that a crash at any moment leaves either the old
// content or the new.
func replaceFile(path string, data []byte) error {
	for attempt := 1; ; attempt++ {
		err := tryReplaceFile(path, data)
		// Another process that starts with the same path takes the new file for a leftover,
		// since nobody can tell across containers whether its owner lives.
		if !errors.Is(err, errTaken) || attempt == maxReplaceAttempts {
			return err
		}
	}
}

const maxReplaceAttempts = 3

// errTaken: a new file was gone before it could take the old one's place.
var errTaken = errors.New("the new file was removed by another process")

func tryReplaceFile(path string, data []byte) error {
	tmp, err := os.OpenFile(newTempName(path), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = tmp.Write(data)
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		if err = os.Rename(tmp.Name(), path); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w: %w", errTaken, err)
		}
	}
	if err != nil {
		return errors.Join(err, removeIfThere(tmp.Name()))
	}
	return syncDir(filepath.Dir(path))
}

const (
	tempMark = ".crisp-"
	tempEnd  = ".tmp"
)

func newTempName(path string) string {
	return fmt.Sprintf("%s%s%016x%s", path, tempMark, rand.Uint64(), tempEnd)
}

// isTempName reports whether newTempName has made a name, for the file base and no other.
func isTempName(base, name string) bool {
	digits, ok := strings.CutPrefix(name, base+tempMark)
	if !ok {
		return false
	}
	digits, ok = strings.CutSuffix(digits, tempEnd)
	return ok && len(digits) == 16 && strings.Trim(digits, "0123456789abcdef") == ""
}

// removeLeftovers removes the new files of interrupted saves. One that can't be removed does no
// harm.
func removeLeftovers(path string) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return
	}
	for _, e := range entries {
		if e.Type().IsRegular() && isTempName(filepath.Base(path), e.Name()) {
			_ = os.Remove(filepath.Join(filepath.Dir(path), e.Name()))
		}
	}
}

// syncDir makes a rename durable, as far as the system can sync folders.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	_ = d.Sync()
	return d.Close()
}
