package grade

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"coalmine/lab/input"
	"coalmine/lab/run/folder"
	"coalmine/lab/scenario"
)

// Format is the version of the files in the folder of the results.
const Format = 1

// Config is what a grading was made with. Grades of different ones are not comparable, so a folder
// keeps those of one only.
type Config struct {
	Format    int        `json:"format"`
	Scenarios []Scenario `json:"scenarios"`
	// Key is a fingerprint of the seed file.
	Key      string            `json:"seed_file"`
	Seeds    int               `json:"seeds"`
	Practice int               `json:"practice_seeds"`
	Date     time.Time         `json:"date"`
	Versions map[string]string `json:"versions"`
	Binary   folder.Binary     `json:"binary"`
}

// Scenario is a scenario that was graded.
type Scenario struct {
	Name   string `json:"name"`
	Title  string `json:"title"`
	Max    int    `json:"max_points"`
	Digest string `json:"sha256"`
}

func newConfig(o Options, all []*scenario.Scenario) Config {
	c := Config{Format: Format, Key: o.Key.Fingerprint(), Seeds: o.Seeds, Practice: o.Practice, Date: o.Date,
		Versions: o.Versions, Binary: o.Binary}
	for _, s := range all {
		c.Scenarios = append(c.Scenarios, Scenario{s.Name, s.Title, newPart(s).Max, s.Digest()})
	}
	return c
}

// fileConfig is the name of the file with a [Config].
const fileConfig = "grading.json"

// claim makes a folder that of this grading. It may have been so before, and otherwise must be
// empty.
func (c Config) claim(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return input.New("name a folder that can be written with -o", "%w", err)
	}
	data, err := marshal(c)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, fileConfig)
	switch old, err := os.ReadFile(path); {
	case err == nil && bytes.Equal(old, data):
		return nil
	case err == nil:
		return input.New("name a new folder with -o", "%s has grades of other scenarios, seeds, dates or of another "+
			"program", dir)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	if len(entries) > 0 {
		return input.New("name a new folder with -o", "%s is not empty and has no grades", dir)
	}
	return writeFile(path, data)
}

func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(v)
	return b.Bytes(), err
}

// writeFile replaces a file: a reader sees the old or the new contents.
func writeFile(path string, data []byte) error {
	temporary := path + ".tmp"
	if err := os.WriteFile(temporary, data, 0o644); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	return os.Rename(temporary, path)
}
