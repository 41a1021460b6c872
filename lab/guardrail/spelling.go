package guardrail

import (
	"reflect"
	"strings"

	"coalmine/lab/input/spelling"
)

// closest returns the field that a misspelt key most likely stands for, or "" if none is similar.
func closest(key string, fields map[string]reflect.Type) string {
	if len(key) > 64 {
		return ""
	}
	best, distance := "", 1+len(key)/3
	for name := range fields {
		d := spelling.Distance(strings.ToLower(key), strings.ToLower(name))
		if d < distance || d == distance && (best == "" || name < best) {
			best, distance = name, d
		}
	}
	return best
}
