package guardrail

import (
	"maps"
	"reflect"
	"slices"

	"coalmine/lab/input/spelling"
)

// closest returns the field that a misspelt key most likely stands for, or "" if none is similar.
func closest(key string, fields map[string]reflect.Type) string {
	return spelling.Nearest(key, slices.Collect(maps.Keys(fields)))
}
