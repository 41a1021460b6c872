// Command schemagen writes the JSON schemas of scenario, workload, quiz and workspace files from their
// Go types, so that the schemas match what is read and written. Descriptions are the comments of types
// and fields.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: schemagen ROOT\n  ROOT  folder of the module")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "schemagen:", err)
		os.Exit(1)
	}
}

// write writes all schemas.
func write(root string) error {
	files, err := render(root)
	if err != nil {
		return err
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(root, name), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// render returns the schemas by their files in the module.
func render(root string) (map[string][]byte, error) {
	comments, err := readComments(root)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, d := range documents() {
		data, err := json.MarshalIndent(d.schema(comments), "", "  ")
		if err != nil {
			return nil, err
		}
		files[d.file] = append(data, '\n')
	}
	return files, nil
}
