package main

import (
	"encoding/xml"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDraw(t *testing.T) {
	var out strings.Builder
	require.NoError(t, draw(strings.NewReader("$ crisp listen\n<&> \"é\"\n"+strings.Repeat("x", 200)+"\n"), &out))
	decoder := xml.NewDecoder(strings.NewReader(out.String()))
	var texts []string
	for {
		token, err := decoder.Token()
		if err == io.EOF { //nolint:errorlint // the decoder returns it as it is
			break
		}
		require.NoError(t, err)
		if data, ok := token.(xml.CharData); ok && strings.TrimSpace(string(data)) != "" {
			texts = append(texts, string(data))
		}
	}
	assert.Equal(t, []string{"$ crisp listen", `<&> "é"`, strings.Repeat("x", columns-1) + "…"}, texts)
}
