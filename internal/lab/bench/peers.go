package main

import (
	"context"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// peers returns the clients of others that this machine can run. Which it can't,
// it says.
func (b bench) peers(ctx context.Context, load workload) []contestant {
	var all []contestant
	for _, kind := range []struct {
		name string
		make func(bench, context.Context, workload) ([]contestant, error)
	}{
		{"clients on Node", bench.nodePeers},
		{"clients for Go", bench.goPeers},
		{"official Go SDK", bench.goSDK},
		{"clients on Python", bench.pythonPeers},
	} {
		clients, err := kind.make(b, ctx, load)
		if err != nil {
			fmt.Fprintf(os.Stderr, "without the %s: %v\n", kind.name, err)
			continue
		}
		all = append(all, clients...)
	}
	return all
}

const nodeFolder = "node"

func (b bench) nodePeers(ctx context.Context, load workload) ([]contestant, error) {
	sdk := filepath.Join(nodeFolder, "node_modules", "crisp-api", "package.json")
	if _, err := os.Stat(sdk); err != nil {
		if err := quietly(ctx, nodeFolder, nil, "npm", "ci", "--silent"); err != nil {
			return nil, err
		}
	}
	content, err := os.ReadFile(sdk)
	if err != nil {
		return nil, err
	}
	var about struct{ Version string }
	if err := json.Unmarshal(content, &about); err != nil {
		return nil, err
	}
	script := func(name string) []string { return []string{"node", filepath.Join(nodeFolder, name)} }
	return []contestant{
		{name: "bare Node ws + JSON.parse", task: task{Load: load}, command: script("ws.mjs")},
		{name: "official Node SDK " + about.Version, task: task{Load: load}, command: script("sdk.mjs")},
	}, nil
}

// goPeers builds the module of the Socket.IO clients that others wrote for Go.
func (b bench) goPeers(ctx context.Context, load workload) ([]contestant, error) {
	const zishang, googollee = "github.com/zishang520/socket.io/clients/socket/v3", "github.com/googollee/go-socket.io"
	binary := filepath.Join(b.work, "peers")
	if err := quietly(ctx, "peers", nil, "go", "build", "-o", binary, "."); err != nil {
		return nil, err
	}
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	versions := make(map[string]string)
	for _, m := range info.Deps {
		versions[m.Path] = strings.TrimPrefix(m.Version, "v")
	}
	return []contestant{
		{name: "zishang520/socket.io " + versions[zishang] + " (Go)", task: task{Load: load}, command: []string{binary, "zishang520"}, slow: true},
		{name: "googollee/go-socket.io " + versions[googollee], task: task{Load: load}, command: []string{binary, "googollee"}},
	}, nil
}

// sdkAddress is the only port of this machine that the official Go SDK connects to.
const sdkAddress = "127.0.0.1:80"

// goSDK builds the program that uses the official Go SDK, in a workspace with
// the checkout of it.
func (b bench) goSDK(ctx context.Context, load workload) ([]contestant, error) {
	if b.sdk == "" {
		return nil, fmt.Errorf("-go-sdk names no checkout of it")
	}
	checkout, err := filepath.Abs(b.sdk)
	if err != nil {
		return nil, err
	}
	here, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	version, err := os.ReadFile(filepath.Join(checkout, "VERSION"))
	if err != nil {
		return nil, err
	}
	program := filepath.Join("testdata", "gosdk")
	workspace := filepath.Join(b.work, "go.work")
	text := fmt.Sprintf("go 1.25.0\n\nuse (\n\t%q\n\t%q\n\t%q\n)\n", here, filepath.Join(here, program), filepath.Join(checkout, "crisp"))
	if err := os.WriteFile(workspace, []byte(text), 0o600); err != nil {
		return nil, err
	}
	binary := filepath.Join(b.work, "gosdk")
	if err := quietly(ctx, program, []string{"GOWORK=" + workspace}, "go", "build", "-o", binary, "."); err != nil {
		return nil, err
	}
	host := strings.TrimSuffix(sdkAddress, ":80")
	return []contestant{{
		name:    "official Go SDK " + strings.TrimSpace(string(version)),
		task:    task{URL: "http://" + host, Load: load},
		command: []string{binary},
		slow:    true,
	}}, nil
}

// pythonPeers looks for a Python that has what the script needs: Debian's is
// not always the first in the path.
func (b bench) pythonPeers(ctx context.Context, load workload) ([]contestant, error) {
	const check = `import aiohttp, importlib.metadata as m; print(m.version("python-socketio"))`
	var err error
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		var version []byte
		version, err = exec.CommandContext(ctx, python, "-c", check).Output() //nolint:gosec // one of the above
		if err != nil {
			continue
		}
		return []contestant{{
			name:    "python-socketio " + strings.TrimSpace(string(version)),
			task:    task{Load: load},
			command: []string{python, filepath.Join("python", "sio.py")},
			slow:    true,
		}}, nil
	}
	return nil, fmt.Errorf("python-socketio and aiohttp are not installed (%w)", err)
}

// quietly runs a command that has to say something only if it fails.
func quietly(ctx context.Context, folder string, env []string, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // commands of ours
	cmd.Dir, cmd.Env = folder, append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(string(out)))
	}
	return nil
}
