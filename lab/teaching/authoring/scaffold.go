// Package authoring helps to write scenarios: it writes one to start from, and checks that one holds
// what learners and instructors rely on.
package authoring

import (
	"bytes"
	"embed"
	"io/fs"
	"strings"

	"coalmine/lab/input"
	"coalmine/lab/scenario"
)

//go:embed template
var templates embed.FS

// placeholder stands for the scenario's name in the template.
const placeholder = "SCENARIO_NAME"

// Scaffold returns the files of a new scenario by path. It is a complete one that passes the checks.
func Scaffold(name string) (map[string][]byte, error) {
	if !scenario.IsLabel(name) {
		return nil, input.New("write a-z, 0-9 and -, starting with a letter", "%q is not a name for a scenario", name)
	}
	files := map[string][]byte{}
	err := fs.WalkDir(templates, "template", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := templates.ReadFile(path)
		files[strings.TrimPrefix(path, "template/")] = bytes.ReplaceAll(data, []byte(placeholder), []byte(name))
		return err
	})
	return files, err
}
