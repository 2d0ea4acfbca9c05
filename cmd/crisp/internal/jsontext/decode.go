package jsontext

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// Decode reads the one value of a text. A member that into has no field for is an error,
// and so is anything after the value.
func Decode(text []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is something after the JSON value")
	}
	return nil
}
