// Package lessons is the course as data: course.yaml says in which order its lessons come, each lesson
// has a folder with lesson.yaml and guardrails, and scenarios has what the library of scenarios has not.
// Package lab/teaching/lesson loads it.
package lessons

import (
	"embed"
	"io/fs"
)

//go:embed course.yaml */lesson.yaml */guardrails/*/*.yaml scenarios/*/*.yaml
var course embed.FS

// Course returns the files of the course that comes with the binary.
func Course() fs.FS { return course }
