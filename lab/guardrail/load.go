package guardrail

import (
	"context"
	"errors"
)

// Load reads the guardrails at path, a folder or one file of YAML documents, and validates them.
// A failure of the learner's is of type Errors.
func Load(ctx context.Context, path string, env Environment) (*Set, error) {
	return nil, errors.New("not written yet")
}

// Parse validates manifests that were read already, by path. It touches nothing outside its arguments.
// Its error is of type Errors.
func Parse(files map[string][]byte, env Environment) (*Set, error) {
	return nil, errors.New("not written yet")
}
