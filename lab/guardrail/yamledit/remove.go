package yamledit

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// Remove returns the text without the documents of which drop is true, and how many these are. A document
// goes with the comments before it.
func Remove(text []byte, drop func(root *yaml.Node) bool) (rest []byte, removed int) {
	var kept []string
	for _, part := range split(string(text)) {
		docs, err := decode([]byte(part))
		if err == nil && len(docs) == 1 && len(docs[0].Content) == 1 && drop(docs[0].Content[0]) {
			removed++
			continue
		}
		kept = append(kept, part)
	}
	return []byte(strings.TrimPrefix(strings.Join(kept, ""), "---\n")), removed
}

// split splits a text before each line that separates documents.
func split(text string) []string {
	var parts []string
	start := 0
	for at := 0; at < len(text); {
		end := len(text)
		if i := strings.IndexByte(text[at:], '\n'); i >= 0 {
			end = at + i + 1
		}
		line := strings.TrimRight(text[at:end], "\r\n")
		if at > start && (line == "---" || strings.HasPrefix(line, "--- ")) {
			parts = append(parts, text[start:at])
			start = at
		}
		at = end
	}
	return append(parts, text[start:])
}
