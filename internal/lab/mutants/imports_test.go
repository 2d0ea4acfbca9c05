package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFixImports(t *testing.T) {
	tests := map[string]struct {
		code   string
		needed []string
		want   string
	}{
		"nothing to do": {
			"package p\n\nimport \"os\"\n\nvar x = os.Args\n",
			nil,
			"package p\n\nimport \"os\"\n\nvar x = os.Args\n",
		},
		"one is needed": {
			"package p\n\nimport (\n\t\"io\"\n)\n\nvar x = os.Args\n\nvar y io.Writer\n",
			[]string{"os"},
			"package p\n\nimport \"os\"\n\nimport (\n\t\"io\"\n)\n\nvar x = os.Args\n\nvar y io.Writer\n",
		},
		"the file imports nothing": {
			"package p\n\nvar x = rand.Uint64()\n",
			[]string{"math/rand/v2"},
			"package p\n\nimport \"math/rand/v2\"\n\nvar x = rand.Uint64()\n",
		},
		"the file has it": {
			"package p\n\nimport \"math/rand/v2\"\n\nvar x = rand.Uint64()\n",
			[]string{"math/rand/v2"},
			"package p\n\nimport \"math/rand/v2\"\n\nvar x = rand.Uint64()\n",
		},
		"some are used no more": {
			"package p\n\nimport (\n\t\"io\"\n\tsys \"os\"\n\t\"time\"\n)\n\nvar x time.Time\n",
			nil,
			"package p\n\nimport (\n\t_ \"io\"\n\t_ \"os\"\n\t\"time\"\n)\n\nvar x time.Time\n",
		},
		"one for its effects": {
			"package p\n\nimport _ \"embed\"\n",
			nil,
			"package p\n\nimport _ \"embed\"\n",
		},
		"a path that ends as a file does": {
			"package p\n\nimport \"github.com/nats-io/nats.go\"\n\nvar x nats.Msg\n",
			nil,
			"package p\n\nimport \"github.com/nats-io/nats.go\"\n\nvar x nats.Msg\n",
		},
		"another name": {
			"package p\n\nimport sys \"os\"\n\nvar x = sys.Args\n",
			nil,
			"package p\n\nimport sys \"os\"\n\nvar x = sys.Args\n",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			fixed, err := fixImports(tt.code, tt.needed)
			require.NoError(t, err)
			assert.Equal(t, tt.want, fixed)
		})
	}
}
