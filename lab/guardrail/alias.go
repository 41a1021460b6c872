package guardrail

import "go.yaml.in/yaml/v3"

// dereference returns the node that an alias stands for, or the node itself.
func dereference(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// mergeable reports whether the value of a merge key is a mapping or a list of mappings.
func mergeable(n *yaml.Node) bool {
	n = dereference(n)
	if n.Kind != yaml.SequenceNode {
		return n.Kind == yaml.MappingNode
	}
	for _, item := range n.Content {
		if dereference(item).Kind != yaml.MappingNode {
			return false
		}
	}
	return true
}

// resolve returns the tree with aliases replaced by what they stand for, and with merged mappings.
// Both keep the lines on which they are written. inspect has bounded the size of the result.
func resolve(n *yaml.Node) *yaml.Node {
	n = dereference(n)
	if len(n.Content) == 0 {
		return n
	}
	c := *n
	c.Content = make([]*yaml.Node, len(n.Content))
	for i, item := range n.Content {
		c.Content[i] = resolve(item)
	}
	if c.Kind == yaml.MappingNode {
		c.Content = merge(c.Content)
	}
	return &c
}

// merge adds the fields of merge keys to the pairs of a mapping. Fields that the mapping has itself
// win, then those of the first mapping that is merged.
func merge(pairs []*yaml.Node) []*yaml.Node {
	var own, merged []*yaml.Node
	has := map[string]bool{}
	for i := 0; i+1 < len(pairs); i += 2 {
		switch value := pairs[i+1]; {
		case pairs[i].ShortTag() != "!!merge":
			own, has[pairs[i].Value] = append(own, pairs[i], value), true
		case value.Kind == yaml.SequenceNode:
			for _, item := range value.Content {
				merged = append(merged, item.Content...)
			}
		default:
			merged = append(merged, value.Content...)
		}
	}
	for i := 0; i+1 < len(merged); i += 2 {
		if key := merged[i].Value; !has[key] {
			own, has[key] = append(own, merged[i], merged[i+1]), true
		}
	}
	return own
}
