package guides

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Those of the command crisp are checked in cmd/crisp/internal/cli, by its own flags.
func TestCommandsNameWhatIsThere(t *testing.T) {
	checked := 0
	for _, page := range pages(t) {
		if page == "CHANGELOG.md" { // tells of the past
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, page))
		require.NoError(t, err)
		for _, command := range commands(string(text)) {
			checked++
			if problem := checkCommand(command); problem != "" {
				t.Errorf("%s: %q: %s", page, command, problem)
			}
		}
	}
	assert.Greater(t, checked, 30)
}

func TestCommandsThatNameNothingAreFound(t *testing.T) {
	for command, problem := range map[string]string{
		"go run ./examples/nothing":                             "no package in examples/nothing",
		"go run -C cmd/nothing . serve":                         "no package in cmd/nothing",
		"cd internal/nothing && go run .":                       "no package in internal/nothing",
		"go test ./internal/guides -run TestNothingOfTheSort":   "no test matches TestNothingOfTheSort",
		"go run ./internal/lab/mutants -unknown x":              "the program has no flag unknown",
		".ci/run formatting":                                    "there is no stage formatting",
		"go test ./internal/guides -run TestCommandsThatName":   "",
		"go run ./internal/lab/mutants -only 'a|b'":             "",
		"cd internal/lab/bench && go run . readers # all of it": "",
		".ci/run format lint":                                   "",
	} {
		assert.Equal(t, problem, checkCommand(command), command)
	}
}

var (
	shell  = regexp.MustCompile("(?ms)^```(?:sh|)\n(.*?)^```")
	wanted = regexp.MustCompile(`^(cd \S+ && )?(\w+=\S+ )*(go (run|test|generate|vet|build) |\.ci/run)`)
	tests  = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark|Example)\w*)\(`)
)

// commands returns what a page has in code that is for a shell here.
func commands(page string) (found []string) {
	add := func(line string) {
		if line = strings.TrimSpace(line); wanted.MatchString(line) {
			found = append(found, line)
		}
	}
	for _, block := range shell.FindAllStringSubmatch(page, -1) {
		for line := range strings.Lines(block[1]) {
			add(line)
		}
	}
	for _, span := range code.FindAllString(strings.ReplaceAll(fence.ReplaceAllString(page, ""), "\n", " "), -1) {
		add(strings.Trim(span, "`"))
	}
	return found
}

// checkCommand returns what a command names that is not there.
func checkCommand(command string) string {
	words := shellWords(command)
	folder := ""
	if words[0] == "cd" {
		folder, words = words[1], words[3:]
	}
	for strings.Contains(words[0], "=") {
		words = words[1:]
	}
	if words[0] == ".ci/run" {
		return checkStages(words[1:])
	}
	return checkGo(folder, words[1], words[2:])
}

func checkStages(words []string) string {
	gate, err := os.ReadFile(filepath.Join(root, ".ci", "run"))
	if err != nil {
		return err.Error()
	}
	stages := strings.Fields(regexp.MustCompile(`(?m)^readonly STAGES=\((.*)\)`).FindStringSubmatch(string(gate))[1])
	for _, word := range words {
		if !strings.HasPrefix(word, "-") && word != "STAGE…" && !slices.Contains(stages, word) {
			return "there is no stage " + word
		}
	}
	return ""
}

func checkGo(folder, verb string, words []string) string {
	if verb == "generate" {
		return ""
	}
	var sources, pattern string
	for i := 0; i < len(words); i++ {
		switch word := words[i]; {
		case word == "-C":
			i++
			folder = words[i]
			sources = sourcesIn(folder)
			if sources == "" {
				return "no package in " + folder
			}
		case word == "-run" || word == "-bench" || word == "-fuzz":
			i++
			pattern = words[i]
		case word == "." || strings.HasPrefix(word, "./"):
			at := filepath.ToSlash(filepath.Join(folder, strings.TrimSuffix(word, "...")))
			if strings.HasSuffix(word, "...") {
				sources = sourcesBelow(at)
			} else {
				sources = sourcesIn(at)
			}
			if sources == "" {
				return "no package in " + at
			}
			if verb == "run" {
				return checkFlags(sources, words[i+1:])
			}
		}
	}
	if pattern == "" || pattern == "." || sources == "" {
		return ""
	}
	matches, err := regexp.Compile(strings.Split(pattern, "/")[0])
	if err != nil {
		return err.Error()
	}
	for _, name := range tests.FindAllStringSubmatch(sources, -1) {
		if matches.MatchString(name[1]) {
			return ""
		}
	}
	return "no test matches " + pattern
}

// checkFlags looks for the flags of a program where it makes them. The command crisp has a test of its own.
func checkFlags(sources string, words []string) string {
	if strings.Contains(sources, "internal/cli") {
		return ""
	}
	for _, word := range words {
		if name, _, _ := strings.Cut(strings.TrimLeft(word, "-"), "="); strings.HasPrefix(word, "-") && !strings.Contains(sources, `"`+name+`"`) {
			return "the program has no flag " + name
		}
	}
	return ""
}

// sourcesIn returns the Go code of a folder of the repository.
func sourcesIn(folder string) string {
	files, _ := filepath.Glob(filepath.Join(root, filepath.FromSlash(folder), "*.go"))
	var sources strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err == nil {
			sources.Write(text)
		}
	}
	return sources.String()
}

func sourcesBelow(folder string) string {
	var sources strings.Builder
	top := filepath.Join(root, filepath.FromSlash(folder))
	_ = filepath.WalkDir(top, func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			if below, err := filepath.Rel(root, path); err == nil {
				sources.WriteString(sourcesIn(below))
			}
		}
		return nil
	})
	return sources.String()
}

// shellWords splits a command as a shell does, up to a remark or the next command.
func shellWords(command string) (words []string) {
	for _, word := range regexp.MustCompile(`'[^']*'|"[^"]*"|[^\s'"]+`).FindAllString(command, -1) {
		if strings.HasPrefix(word, "#") || word == "|" || word == ";" || word == ">" {
			break
		}
		words = append(words, strings.Trim(word, `'"`))
	}
	return words
}
