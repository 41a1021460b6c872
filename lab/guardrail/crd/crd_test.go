package crd

import (
	"strings"
	"testing"
)

// TestSchemas compiles the schema and the rules of every version of every kind.
func TestSchemas(t *testing.T) {
	entries, err := files.ReadDir("schemas")
	if err != nil || len(entries) == 0 {
		t.Fatal("no schemas", err)
	}
	for _, e := range entries {
		versions, err := load(strings.TrimSuffix(strings.TrimSuffix(e.Name(), ".yaml"), ".json"))
		if err != nil || len(versions) == 0 {
			t.Errorf("%s has %d versions, error %v", e.Name(), len(versions), err)
		}
		for name, v := range versions {
			if v == nil {
				t.Fatalf("%s has no version %s", e.Name(), name)
			}
			v.rules()
		}
	}
}
