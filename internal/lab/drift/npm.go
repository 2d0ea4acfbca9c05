package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// most is the size to which a file of the package is read: far more than any has.
const most = 16 << 20

// get has npm get a version of crisp-api, without running anything of it, and returns
// the folder that it was unpacked to.
func get(ctx context.Context, folder, version string) (string, error) {
	var complaint bytes.Buffer
	pack := exec.CommandContext(ctx, "npm", "pack", "--json", "--ignore-scripts", "crisp-api@"+version) //nolint:gosec // the version is the caller's
	pack.Dir, pack.Stderr = folder, &complaint
	out, err := pack.Output()
	if err != nil {
		return "", fmt.Errorf("npm pack: %w\n%s", err, complaint.Bytes())
	}
	var packed []struct {
		Filename string
	}
	if err := json.Unmarshal(out, &packed); err != nil || len(packed) != 1 {
		return "", fmt.Errorf("npm pack has made no single package: %s", out)
	}
	file, err := os.Open(filepath.Join(folder, filepath.Base(packed[0].Filename)))
	if err != nil {
		return "", err
	}
	defer file.Close() //nolint:errcheck // it was only read
	return filepath.Join(folder, "package"), unpack(folder, file)
}

// unpack writes the files of an npm package that are read here.
func unpack(folder string, packed io.Reader) error {
	unzipped, err := gzip.NewReader(packed)
	if err != nil {
		return err
	}
	for archive := tar.NewReader(unzipped); ; {
		entry, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		wanted := entry.Name == "package/package.json" || strings.HasPrefix(entry.Name, "package/dist/") && strings.HasSuffix(entry.Name, ".js")
		if entry.Typeflag != tar.TypeReg || !wanted || !filepath.IsLocal(entry.Name) {
			continue
		}
		text, err := io.ReadAll(io.LimitReader(archive, most))
		if err != nil {
			return err
		}
		to := filepath.Join(folder, filepath.FromSlash(entry.Name))
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(to, text, 0o600); err != nil {
			return err
		}
	}
}
