package main

import (
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// platforms are those for which the commands are built.
var platforms = []platform{
	{"darwin", "amd64"}, {"darwin", "arm64"},
	{"linux", "amd64"}, {"linux", "arm64"},
	{"windows", "amd64"}, {"windows", "arm64"},
}

type platform struct{ system, architecture string }

// buildFlags make builds reproducible: the same code and the same version of Go give the
// same binary, in any folder.
var buildFlags = []string{"-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid="}

// binaries builds the commands for platforms into a folder, with their checksums in SHA256SUMS, and
// what each is made of in an SPDX document beside it.
func binaries(ctx context.Context, root string, all modules, platforms []platform, to string) error {
	if err := os.MkdirAll(to, 0o750); err != nil {
		return err
	}
	to, err := filepath.Abs(to)
	if err != nil {
		return err
	}
	commands, err := findCommands(ctx, root, all)
	if err != nil {
		return err
	}
	var sums strings.Builder
	for _, c := range commands {
		var built string
		for _, p := range platforms {
			name, sum, err := c.build(ctx, p.system, p.architecture, to)
			if err != nil {
				return err
			}
			fmt.Fprintf(&sums, "%s  %s\n", sum, name)
			fmt.Println("built", name)
			built = name
		}
		if err := c.writeSBOM(ctx, all, to, built); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(to, "SHA256SUMS"), []byte(sums.String()), 0o600)
}

// command is one that users install.
type command struct {
	name    string // such as crisp
	pkg     string
	folder  string // of its module
	version string
}

func findCommands(ctx context.Context, root string, all modules) (found []command, err error) {
	version, err := constantVersion(root)
	if err != nil {
		return nil, err
	}
	for _, m := range all.published() {
		folder := filepath.Join(root, filepath.FromSlash(m.folder))
		packages, err := forUsers(ctx, folder, "linux")
		if err != nil {
			return nil, err
		}
		mains, err := list(ctx, folder, "linux", append([]string{"-f", `{{if eq .Name "main"}}{{.ImportPath}}{{end}}`}, packages...)...)
		if err != nil {
			return nil, err
		}
		for _, pkg := range strings.Fields(string(mains)) {
			found = append(found, command{path.Base(pkg), pkg, folder, version})
		}
	}
	return found, nil
}

// constantVersion is the version that the code says it is.
func constantVersion(root string) (string, error) {
	text, err := os.ReadFile(filepath.Join(root, "client.go"))
	if err != nil {
		return "", err
	}
	found := versionConstant.FindSubmatch(text)
	if found == nil {
		return "", fmt.Errorf("client.go has no constant Version")
	}
	return "v" + string(found[1]), nil
}

// build builds a command for a system, and returns the name of the file and its sum.
func (c command) build(ctx context.Context, system, architecture, to string) (name, sum string, err error) {
	name = fmt.Sprintf("%s_%s_%s_%s", c.name, c.version, system, architecture)
	if system == "windows" {
		name += ".exe"
	}
	args := append([]string{"build", "-o", filepath.Join(to, name)}, buildFlags...)
	cmd := exec.CommandContext(ctx, "go", append(args, c.pkg)...) //nolint:gosec // packages of this repository
	cmd.Dir = c.folder
	cmd.Env = append(os.Environ(), "GOOS="+system, "GOARCH="+architecture, "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=-mod=readonly", "GOEXPERIMENT=", "GOAMD64=v1", "GOARM64=v8.0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", "", fmt.Errorf("go build %s for %s/%s: %w\n%s", c.pkg, system, architecture, err, out)
	}
	binary, err := os.ReadFile(filepath.Join(to, name))
	if err != nil {
		return "", "", err
	}
	hash := sha256.Sum256(binary)
	return name, hex.EncodeToString(hash[:]), nil
}

// ours returns the other modules of the repository that a command is made of.
func (c command) ours(ctx context.Context, all modules) (paths []string, err error) {
	out, err := list(ctx, c.folder, "linux", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", c.pkg)
	if err != nil {
		return nil, err
	}
	made := strings.Fields(string(out))
	for _, m := range all.published() {
		if m.path != c.pkg && slices.Contains(made, m.path) {
			paths = append(paths, m.path)
		}
	}
	return paths, nil
}

// writeSBOM writes which modules a command is made of, and by which Go one of its
// binaries was built, as SPDX 2.3 in JSON. It has no time of its own, so that the same
// code has the same document.
func (c command) writeSBOM(ctx context.Context, all modules, to, binary string) error {
	info, err := buildinfo.ReadFile(filepath.Join(to, binary))
	if err != nil {
		return err
	}
	type reference struct {
		Category string `json:"referenceCategory"`
		Type     string `json:"referenceType"`
		Locator  string `json:"referenceLocator"`
	}
	type pkg struct {
		ID       string      `json:"SPDXID"`
		Name     string      `json:"name"`
		Version  string      `json:"versionInfo"`
		Download string      `json:"downloadLocation"`
		Analyzed bool        `json:"filesAnalyzed"`
		License  string      `json:"licenseConcluded"`
		Refs     []reference `json:"externalRefs"`
	}
	type relation struct {
		From string `json:"spdxElementId"`
		Is   string `json:"relationshipType"`
		To   string `json:"relatedSpdxElement"`
	}
	listed := func(id, name, version, license string) pkg {
		download := "https://" + name
		if name == "std" {
			download = "https://go.dev/dl/"
		}
		return pkg{id, name, version, download, false, license, []reference{{"PACKAGE-MANAGER", "purl", "pkg:golang/" + name + "@" + version}}}
	}
	packages := []pkg{listed("SPDXRef-command", c.pkg, c.version, "MIT")}
	relations := []relation{{"SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-command"}}
	add := func(name, version, license string) {
		id := fmt.Sprintf("SPDXRef-module-%d", len(packages))
		packages = append(packages, listed(id, name, version, license))
		relations = append(relations, relation{"SPDXRef-command", "DEPENDS_ON", id})
	}
	add("std", strings.TrimPrefix(info.GoVersion, "go"), "BSD-3-Clause")
	ours, err := c.ours(ctx, all)
	if err != nil {
		return err
	}
	for _, name := range ours {
		add(name, c.version, "MIT")
	}
	deps, err := dependencies(ctx, all, c.folder, false)
	if err != nil {
		return err
	}
	for _, d := range deps {
		license, err := d.license()
		if err != nil {
			return err
		}
		add(d.Path, d.Version, license)
	}
	name := c.name + "_" + c.version + ".spdx.json"
	text, err := json.MarshalIndent(map[string]any{
		"spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": name,
		"documentNamespace": "https://" + c.pkg + "/spdx/" + c.version,
		"creationInfo":      map[string]any{"created": "1970-01-01T00:00:00Z", "creators": []string{"Tool: internal/lab/release"}},
		"packages":          packages, "relationships": relations,
	}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(to, name), append(text, '\n'), 0o600)
}
