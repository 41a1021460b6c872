package guardrail

import "coalmine/lab/guardrail/admission"

// admit reports what a cluster would refuse of the document, and whether it would admit it.
func (c *checker) admit(d *document) bool {
	value, err := jsonValue(d.root)
	if err != nil {
		return true // reported when it was decoded
	}
	object, _ := value.(map[string]any)
	if meta, ok := object["metadata"].(map[string]any); ok && meta["namespace"] == nil {
		meta["namespace"] = c.env.Namespace
	}
	refusals := admission.Check(object)
	for _, r := range refusals {
		c.fail(d, r.Field, r.String(), r.Hint)
	}
	return len(refusals) == 0
}
