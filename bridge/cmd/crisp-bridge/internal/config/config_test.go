package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// enough is the environment that crisp serve --exec gives.
var enough = []string{
	"CRISP_BASE_URL=http://127.0.0.1:7700/v1",
	"CRISP_IDENTIFIER=identifier",
	"CRISP_KEY=hidden-key",
	"CRISP_TIER=plugin",
	"CRISP_WEBSITE_ID=website",
	"CRISP_SIGNING_SECRET=hidden-secret",
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bridge.toml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestTheEnvironmentOfCrispServeIsEnough(t *testing.T) {
	c, err := Read("", enough)
	require.NoError(t, err)
	require.NoError(t, c.CheckIn())
	assert.Equal(t, []string{"rtm", "hooks"}, c.Transports)
	assert.Equal(t, EngineEmbedded, c.Engine.Kind)
	assert.Equal(t, []string{"website"}, c.Rooms())
	assert.Equal(t, "hidden-key", c.Secrets.Key)
}

func TestTheEnvironmentWinsOverTheFile(t *testing.T) {
	path := write(t, `
transports = ["rtm"]
drain = "1m"

[crisp]
identifier = "from the file"

[rtm]
events = ["message:send"]
backfill = false

[engine]
kind = "nats"
servers = ["nats://a:4222", "nats://b:4222"]
replicas = 3
max_bytes = 1048576
`)
	c, err := Read(path, append([]string{
		"CRISP_BRIDGE_TRANSPORTS=rtm, hooks",
		"CRISP_BRIDGE_ENGINE_REPLICAS=1",
		"CRISP_BRIDGE_ENGINE_SERVERS=nats://me:hidden-password@c:4222",
		"CRISP_BRIDGE_RTM_LEASE_TTL=30s",
		"CRISP_BRIDGE_HTTP_ADDR=", // an empty one says nothing
	}, enough...))
	require.NoError(t, err)
	assert.Equal(t, []string{"rtm", "hooks"}, c.Transports)
	assert.Equal(t, "identifier", c.Crisp.Identifier)
	assert.Equal(t, time.Minute, c.Drain.Std())
	assert.Equal(t, 30*time.Second, c.RTM.LeaseTTL.Std())
	assert.Equal(t, []string{"message:send"}, c.RTM.Events)
	assert.False(t, c.RTM.Backfill)
	assert.Equal(t, 1, c.Engine.Replicas)
	assert.Equal(t, int64(1<<20), *c.Engine.MaxBytes)
	assert.Equal(t, "127.0.0.1:8080", c.HTTP.Addr)
	assert.Contains(t, c.Hidden(), "me:hidden-password")
}

func TestASecretIsReadFromItsFileOrItsVariable(t *testing.T) {
	file := write(t, "hidden-in-file\n")
	for name, tt := range map[string]struct {
		environ []string
		want    string
	}{
		"file":     {nil, "hidden-in-file"},
		"variable": {[]string{"CRISP_KEY=hidden-key"}, "hidden-key"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := Read("", append(tt.environ, "CRISP_BRIDGE_CRISP_KEY_FILE="+file))
			require.NoError(t, err)
			assert.Equal(t, tt.want, c.Secrets.Key)
			assert.NotContains(t, c.Secrets.String()+c.Secrets.GoString(), "hidden-")
		})
	}
}

// TestWhatIsWrongIsTold: each error says where it is and what to do.
func TestWhatIsWrongIsTold(t *testing.T) {
	for name, tt := range map[string]struct {
		file        string
		environ     []string
		want        []string
		credentials bool
	}{
		"a key with a typing error": {
			file: "[http]\n\nadr = 'x'\n",
			want: []string{":3: http.adr is not known: did you mean http.addr?"},
		},
		"a key in the wrong table": {
			file: "[crisp]\nlease_ttl = '9s'\n",
			want: []string{":2: crisp.lease_ttl is not known: did you mean rtm.lease_ttl?"},
		},
		"a table that is none": {
			file: "\n[webhooks]\npath = '/x'\n[http]\naddr = '127.0.0.1:1'",
			want: []string{":2: webhooks is not known"},
		},
		"two keys": {
			file: "drian = '1s'\n[rtm]\nname = 'a'\nevent = []\n",
			want: []string{":1: drian is not known: did you mean drain?", ":4: rtm.event is not known: did you mean rtm.events?"},
		},
		"a secret in the file": {
			file: "[crisp]\nidentifier = 'x'\nkey = 'hidden-key'\n",
			want: []string{":3: crisp.key is not known: secrets are not kept in this file; use crisp.key_file or CRISP_KEY"},
		},
		"a secret in the file without quotes": {
			file: "[crisp]\nkey = hidden\n",
			want: []string{":2: crisp.key: it is no value: texts have quotes"},
		},
		"a secret in the file that begins with digits": {
			file: "[crisp]\nkey = 0123hidden\n",
			want: []string{":2: crisp.key: Invalid integer …"},
		},
		"a secret in the file that is a number": {
			file: "[crisp]\nidentifier = 99999999999999999999\n",
			want: []string{":2: crisp.identifier: … is out of range"},
		},
		"a password in an address": {
			file: "[engine]\nkind = 'nats'\nservers = ['nats://me:hidden-key@a:4222']\n",
			want: []string{"engine.servers has a password in it: use engine.token_file or engine.creds_file, or the variable CRISP_BRIDGE_ENGINE_SERVERS"},
		},
		"no TOML": {
			file: "[http\naddr = 1\n",
			want: []string{":2: expected '.' or ']'"},
		},
		"a number for a text": {
			file: "[http]\naddr = 8080\n",
			want: []string{":2: ", "http.addr"},
		},
		"a duration that is none": {
			file: "[rtm]\nlease_ttl = 'soon'\n",
			want: []string{":2: ", `"soon" is no duration such as 90s or 1h30m`},
		},
		"a variable with a typing error": {
			environ: []string{"CRISP_BRIDGE_ENGINE_KNID=nats"},
			want:    []string{"the variable CRISP_BRIDGE_ENGINE_KNID is not known: did you mean CRISP_BRIDGE_ENGINE_KIND?"},
		},
		"a variable that is no number": {
			environ: []string{"CRISP_BRIDGE_RTM_CONCURRENCY=many"},
			want:    []string{`CRISP_BRIDGE_RTM_CONCURRENCY: "many" is no whole number`},
		},
		"a variable that is neither true nor false": {
			environ: []string{"CRISP_BRIDGE_RTM_BACKFILL=yes"},
			want:    []string{`CRISP_BRIDGE_RTM_BACKFILL: "yes" is neither true nor false`},
		},
		"a file of a secret that is not there": {
			environ: []string{"CRISP_BRIDGE_HOOKS_URL_SECRET_FILE=/nowhere/secret"},
			want:    []string{"hooks.url_secret_file: ", "/nowhere/secret"},
		},
		"a file that is not there": {
			file: "-",
			want: []string{"the configuration can't be read"},
		},
		"an engine that is none": {
			environ: []string{"CRISP_BRIDGE_ENGINE_KIND=rabbit"},
			want:    []string{`engine.kind: "rabbit" is none; there are embedded, nats and kafka`},
		},
		"Kafka with what is of NATS": {
			environ: []string{"CRISP_BRIDGE_ENGINE_KIND=kafka", "CRISP_BRIDGE_ENGINE_SERVERS=a:9092", "CRISP_BRIDGE_ENGINE_MAX_BYTES=0", "CRISP_BRIDGE_ENGINE_USER=me"},
			want:    []string{"engine.creds_file and engine.max_bytes are of NATS", "engine.user: Kafka needs both a user and a password"},
		},
		"NATS without servers": {
			environ: []string{"CRISP_BRIDGE_ENGINE_KIND=nats"},
			want:    []string{"engine.servers: nats needs the address of a server at least"},
		},
		"the embedded engine with servers and copies": {
			environ: []string{"CRISP_BRIDGE_ENGINE_SERVERS=nats://a:4222", "CRISP_BRIDGE_ENGINE_REPLICAS=3"},
			want:    []string{`did you mean engine.kind = "nats"?`, "engine.replicas: the embedded engine has one copy of the log"},
		},
		"NATS with files that are not there": {
			environ: []string{"CRISP_BRIDGE_ENGINE_KIND=nats", "CRISP_BRIDGE_ENGINE_SERVERS=a:4222", "CRISP_BRIDGE_ENGINE_CREDS_FILE=/nowhere/creds", "CRISP_BRIDGE_ENGINE_CA_FILE=/"},
			want:    []string{"engine.creds_file: stat /nowhere/creds: ", "engine.ca_file: / is a folder"},
		},
		"NATS with a user who has no password": {
			environ: []string{"CRISP_BRIDGE_ENGINE_KIND=nats", "CRISP_BRIDGE_ENGINE_SERVERS=a:4222", "CRISP_BRIDGE_ENGINE_USER=me"},
			want:    []string{"engine.user: the user needs a password: set engine.token_file or CRISP_BRIDGE_ENGINE_TOKEN"},
		},
		"an embedded engine for other machines": {
			environ: []string{"CRISP_BRIDGE_ENGINE_LISTEN=0.0.0.0:4222"},
			want:    []string{`engine.listen: "0.0.0.0:4222" is no address on this machine`},
		},
		"numbers out of bounds": {
			environ: []string{"CRISP_BRIDGE_ENGINE_PARTITIONS=300", "CRISP_BRIDGE_ENGINE_MAX_AGE=-1s", "CRISP_BRIDGE_ENGINE_REPLICAS=2", "CRISP_BRIDGE_ENGINE_MAX_BYTES=5", "CRISP_BRIDGE_ENGINE_PREFIX=a b", "CRISP_BRIDGE_DRAIN=0s"},
			want:    []string{"engine.partitions: 300 is not within 1 and 256", "engine.replicas: 2 is none of", "engine.max_age: -1s is below 1m", "engine.max_bytes: 5 is below", "engine.prefix: ", "drain: 0s is not above 0"},
		},
		"an address without a port": {
			environ: []string{"CRISP_BRIDGE_HTTP_ADDR=localhost"},
			want:    []string{`http.addr: "localhost" is no address such as 127.0.0.1:8080`},
		},
		"a log that is none": {
			environ: []string{"CRISP_BRIDGE_LOG_LEVEL=loud", "CRISP_BRIDGE_LOG_FORMAT=xml"},
			want:    []string{`log.level: "loud" is none`, `log.format: "xml" is none`},
		},
		"nothing to receive by": {
			environ:     []string{"CRISP_KEY=", "CRISP_IDENTIFIER=", "CRISP_SIGNING_SECRET="},
			want:        []string{"there is nothing to receive events by: set CRISP_IDENTIFIER and CRISP_KEY"},
			credentials: true,
		},
		"the RTM API without a key": {
			environ:     []string{"CRISP_KEY="},
			want:        []string{"the RTM API needs a token: set CRISP_IDENTIFIER, and CRISP_KEY or crisp.key_file"},
			credentials: true,
		},
		"web hooks without a secret": {
			environ:     []string{"CRISP_SIGNING_SECRET=", "CRISP_BRIDGE_TRANSPORTS=hooks"},
			want:        []string{"web hooks need a secret to be verified by"},
			credentials: true,
		},
		"a website's token without a website": {
			environ:     []string{"CRISP_TIER=website", "CRISP_WEBSITE_ID="},
			want:        []string{"crisp.website_id: a token of the tier website belongs to a website"},
			credentials: true,
		},
		"what there is not": {
			environ: []string{"CRISP_BRIDGE_TRANSPORTS=rtm,rtm,smtp", "CRISP_TIER=owner", "CRISP_BASE_URL=there"},
			want:    []string{"transports: rtm is there twice", `transports: "smtp" is none`, `crisp.tier: "owner" is none`, "crisp.base_url: it is no URL"},
		},
		"a path that is taken": {
			environ: []string{"CRISP_BRIDGE_HOOKS_PATH=/metrics", "CRISP_BRIDGE_HOOKS_TIMEOUT=1ms"},
			want:    []string{`hooks.path: "/metrics" is no path for web hooks`, "hooks.timeout: 1ms is below 100ms"},
		},
		"an RTM API out of bounds": {
			environ: []string{"CRISP_BRIDGE_RTM_NAME=a b", "CRISP_BRIDGE_RTM_LEASE_TTL=1ms", "CRISP_BRIDGE_RTM_CONCURRENCY=0", "CRISP_BRIDGE_RTM_BACKFILL_MAX_AGE=0s"},
			want:    []string{"rtm.name: ", "rtm.lease_ttl: 1ms is not within 1s and 1h", "rtm.concurrency: 0", "rtm.backfill_max_age: 0s"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := ""
			switch tt.file {
			case "":
			case "-":
				path = filepath.Join(t.TempDir(), "missing.toml")
			default:
				path = write(t, tt.file)
			}
			environ := append(append([]string(nil), enough...), tt.environ...)
			c, err := Read(path, environ)
			if err == nil {
				err = c.CheckIn()
			}
			require.Error(t, err)
			for _, want := range tt.want {
				assert.ErrorContains(t, err, want)
			}
			assert.NotContains(t, err.Error(), "hidden-")
			if tt.credentials {
				assert.ErrorIs(t, err, ErrCredentials)
			} else {
				assert.NotErrorIs(t, err, ErrCredentials)
			}
		})
	}
}

// TestEachSettingCanBeSetByAVariable would fail for a setting of a kind that variables
// can't have.
func TestEachSettingCanBeSetByAVariable(t *testing.T) {
	c := Default()
	for _, s := range settings(&c) {
		text := map[string]string{"int": "7", "int64": "7", "bool": "true", "config.Duration": "7s"}[strings.TrimPrefix(s.value.Type().String(), "*")]
		if text == "" {
			text = "text"
		}
		assert.NoError(t, s.set(text), s.name)
		assert.True(t, strings.HasPrefix(s.vars[0], "CRISP_BRIDGE_"), s.name)
	}
}

func FuzzFile(f *testing.F) {
	f.Add("[http]\naddr = '127.0.0.1:1'\n[engine]\nservers = ['a']\n")
	f.Add("rtm = {name = 'x', what = 1}\n")
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(t.TempDir(), "bridge.toml")
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		c, err := Read(path, enough)
		if err == nil {
			_ = c.CheckIn()
		}
	})
}

// TestEachSettingIsInTheGuide with its default, and no other.
func TestEachSettingIsInTheGuide(t *testing.T) {
	guide, err := os.ReadFile("../../../../../docs/bridge.md")
	require.NoError(t, err)
	rows := map[string]string{} // the default of each
	for line := range strings.Lines(string(guide)) {
		cells := strings.Split(line, "|")
		if name := strings.Trim(cells[min(1, len(cells)-1)], " `"); len(cells) == 5 && strings.Contains(cells[1], "`") {
			rows[name] = strings.TrimSpace(cells[2])
		}
	}
	c := Default()
	for _, s := range settings(&c) {
		said, ok := rows[s.name]
		delete(rows, s.name)
		if !assert.True(t, ok, s.name) || s.value.IsZero() || s.value.Kind() == reflect.Pointer {
			continue
		}
		want := fmt.Sprint(s.value.Interface())
		if d, ok := s.value.Interface().(Duration); ok {
			want = strings.TrimSuffix(strings.TrimSuffix(d.String(), "0s"), "0m")
			if d.Std() < time.Minute {
				want = d.String()
			}
		}
		assert.Equal(t, "`"+want+"`", said, s.name)
	}
	assert.Empty(t, rows)
}
