package guardrail

import (
	"encoding/json"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// nodeJSON encodes an inspected tree as JSON. Timestamps stay strings, as with kubectl.
func nodeJSON(n *yaml.Node) ([]byte, error) {
	v, err := jsonValue(n)
	if err != nil {
		return nil, err
	}
	return json.Marshal(v)
}

// jsonValue converts a tree to maps, slices and scalars. inspect has bounded its depth and size.
func jsonValue(n *yaml.Node) (any, error) {
	switch n.Kind {
	case yaml.MappingNode:
		m := make(map[string]any, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			v, err := jsonValue(n.Content[i+1])
			if err != nil {
				return nil, err
			}
			m[n.Content[i].Value] = v
		}
		return m, nil
	case yaml.SequenceNode:
		s := make([]any, len(n.Content))
		for i, item := range n.Content {
			v, err := jsonValue(item)
			if err != nil {
				return nil, err
			}
			s[i] = v
		}
		return s, nil
	case yaml.ScalarNode:
		return jsonScalar(n)
	}
	return nil, fmt.Errorf("line %d: a YAML node of kind %d cannot be written as JSON", n.Line, n.Kind)
}

// isTrue reports whether a boolean of YAML 1.1 is true.
func isTrue(word string) bool {
	switch strings.ToLower(word) {
	case "true", "y", "yes", "on":
		return true
	}
	return false
}

func jsonScalar(n *yaml.Node) (any, error) {
	switch n.ShortTag() {
	case "!!str", "!!timestamp":
		return n.Value, nil
	case "!!bool":
		return isTrue(n.Value), nil
	}
	var v any
	err := n.Decode(&v)
	switch i := v.(type) {
	case int:
		v = int64(i) // as JSON is decoded for the API server
	case uint64:
		v = float64(i)
	}
	return v, err
}
