// Command schemagen writes the JSON schema of scenario files from the Go types that they are decoded into, so that the
// published schema cannot drift from the decoder. Descriptions are the types' comments.
package main

import (
	"encoding/json"
	"fmt"
	"os"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: schemagen ROOT FILE, where ROOT is the module's folder")
		os.Exit(2)
	}
	if err := write(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "schemagen:", err)
		os.Exit(1)
	}
}

func write(root, name string) error {
	data, err := render(root)
	if err != nil {
		return err
	}
	return os.WriteFile(name, data, 0o644)
}

func render(root string) ([]byte, error) {
	comments, err := readComments(root)
	if err != nil {
		return nil, err
	}
	data, err := json.MarshalIndent(document(comments), "", "  ")
	return append(data, '\n'), err
}
