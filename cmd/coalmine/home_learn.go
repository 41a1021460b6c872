package main

import (
	"os"
	"os/exec"

	"coalmine/lab/teaching/lesson"
	"coalmine/scenarios/lessons"
)

// homeLessons implements [backend.Lessons] with the course that comes with the binary.
type homeLessons struct{ env *Env }

// Next implements [backend.Lessons]: the first lesson that is not complete, or the last one.
func (l homeLessons) Next() (name string, complete, all int, err error) {
	c, err := lesson.Load(lessons.Course())
	if err != nil {
		return "", 0, 0, err
	}
	states, err := c.Progress(l.env.path(dirLearn))
	if err != nil {
		return "", 0, 0, err
	}
	for _, p := range states {
		if p.State.Complete {
			complete++
		}
	}
	if name = lesson.Next(states); name == "" {
		name = states[len(states)-1].Lesson.Name
	}
	return name, complete, len(states), nil
}

// Learn implements [backend.Lessons]: this program with the verb learn.
func (l homeLessons) Learn(name string) (*exec.Cmd, error) {
	program, err := programPath()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(program, "learn", name)
	cmd.Dir = l.env.path(".")
	cmd.Env = os.Environ()
	return cmd, nil
}
