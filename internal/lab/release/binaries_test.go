package main

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestBinariesAreReproducible(t *testing.T) {
	here := platform{runtime.GOOS, runtime.GOARCH}
	binary := "tool_v0.2.0_" + here.system + "_" + here.architecture
	if here.system == "windows" {
		binary += ".exe"
	}
	var made []map[string]string
	for range 2 { // in two folders
		root := repository(t, small())
		all, err := findModules(root)
		require.NoError(t, err)
		to := t.TempDir()
		require.NoError(t, binaries(t.Context(), root, all, []platform{here}, to))
		files := make(map[string]string)
		entries, err := os.ReadDir(to)
		require.NoError(t, err)
		for _, entry := range entries {
			text, err := os.ReadFile(filepath.Join(to, entry.Name()))
			require.NoError(t, err)
			files[entry.Name()] = string(text)
		}
		made = append(made, files)
	}
	require.Contains(t, made[0], binary)
	assert.Equal(t, fmt.Sprintf("%x  %s\n", sha256.Sum256([]byte(made[0][binary])), binary), made[0]["SHA256SUMS"])
	for name, text := range made[0] {
		if text != made[1][name] {
			t.Errorf("%s differs", name)
		}
	}
	var sbom struct {
		Packages []struct{ Name, VersionInfo string }
	}
	require.NoError(t, json.Unmarshal([]byte(made[0]["tool_v0.2.0.spdx.json"]), &sbom))
	assert.Equal(t, "github.com/crisp-go/crisp/cmd/tool", sbom.Packages[0].Name)
	assert.Equal(t, "v0.2.0", sbom.Packages[0].VersionInfo)
	listed := make(map[string]string)
	for _, p := range sbom.Packages {
		listed[p.Name] = p.VersionInfo
	}
	info, err := buildinfo.Read(strings.NewReader(made[0][binary]))
	require.NoError(t, err)
	assert.Equal(t, strings.TrimPrefix(info.GoVersion, "go"), listed["std"])
	require.Len(t, info.Deps, 2)
	for _, dep := range info.Deps {
		assert.Equal(t, "v0.2.0", listed[dep.Path], dep.Path)
	}
}

func TestLicensesAreKnownByTheirText(t *testing.T) {
	const bsd2 = "Redistributions in binary form must reproduce the above\ncopyright notice, this list"
	for text, want := range map[string][]string{
		"Apache License\n  Version 2.0, January 2004":                                   {"Apache-2.0"},
		"Permission is hereby granted, free of charge,\nto any person obtaining a copy": {"MIT"},
		bsd2: {"BSD-2-Clause"},
		bsd2 + "\n* Neither the name of Google Inc. nor": {"BSD-3-Clause"},
		"All rights reserved.":                           nil,
	} {
		assert.Equal(t, want, identify(text), text)
	}
}

func TestAModuleWithoutAKnownLicenceIsTold(t *testing.T) {
	d := dependency{Path: "example.com/mine", Version: "v1.0.0", Dir: t.TempDir()}
	require.NoError(t, os.WriteFile(filepath.Join(d.Dir, "LICENSE"), []byte("All rights reserved."), 0o600))
	_, err := d.license()
	assert.ErrorContains(t, err, "example.com/mine v1.0.0: no licence that is known here")
}

func TestLicensesOfModulesWithoutDependencies(t *testing.T) {
	root := repository(t, small())
	all, err := findModules(root)
	require.NoError(t, err)
	var out bytes.Buffer
	require.NoError(t, writeLicenses(t.Context(), &out, root, all))
	assert.NotContains(t, out.String(), "crisp-go/crisp`", "ours are not others'")
}
