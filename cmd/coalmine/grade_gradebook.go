package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"

	"coalmine/lab/input"
	"coalmine/lab/teaching/grade"
	"coalmine/lab/teaching/grade/gradebook"
)

// gradebookFlags say into which exported gradebooks the grades go.
type gradebookFlags struct {
	canvas, moodle, column string
	scale                  float64
}

func (f *gradebookFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.canvas, "canvas", "", "fill the grades into a copy of `FILE`, a gradebook exported from Canvas")
	flags.StringVar(&f.moodle, "moodle", "", "fill the grades into a copy of `FILE`, grades exported from Moodle")
	flags.StringVar(&f.column, "column", "", "`HEADER` of the column that is filled; it must be there")
	flags.Float64Var(&f.scale, "scale", 0, "what full points are worth in the gradebook (default: what it says, or "+
		"the points)")
}

func (f gradebookFlags) check() error {
	switch any := f.canvas != "" || f.moodle != ""; {
	case any && f.column == "":
		return errors.New("--column is missing: write the header of the column to fill")
	case !any && f.column != "":
		return errors.New("--column is for a gradebook: name one by --canvas or --moodle")
	case f.scale < 0:
		return fmt.Errorf("--scale is %v: write a number above 0", f.scale)
	}
	return nil
}

// fillGradebooks writes copies of the gradebooks with the grades.
func (env *Env) fillGradebooks(ctx context.Context, g *grade.Grading, dir string, f gradebookFlags) error {
	var grades []gradebook.Grade
	for _, l := range g.Learners {
		entry := gradebook.Grade{Learner: l.Learner, FullName: l.FullName, CanvasID: l.CanvasID, Max: l.Max}
		if l.Status == grade.Graded && l.Max > 0 {
			share := float64(l.Points) / float64(l.Max)
			entry.Share = &share
		}
		grades = append(grades, entry)
	}
	books, err := env.filledGradebooks(ctx, grades, f)
	if err != nil {
		return err
	}
	for _, b := range books {
		if err := os.WriteFile(filepath.Join(dir, b.name), b.data, 0o644); err != nil {
			return err
		}
		fmt.Fprintf(env.Out, "%s: %s\n", b.name, b.report.Text())
	}
	return nil
}

// filledGradebook is a copy of a gradebook with the grades.
type filledGradebook struct {
	name   string
	data   []byte
	report gradebook.Report
}

// filledGradebooks fills the gradebooks. Without grades it only checks that they can be filled.
func (env *Env) filledGradebooks(ctx context.Context, grades []gradebook.Grade,
	f gradebookFlags) ([]filledGradebook, error) {
	var books []filledGradebook
	for _, b := range []struct {
		file, name string
		kind       gradebook.Kind
	}{{f.canvas, "canvas.csv", gradebook.Canvas}, {f.moodle, "moodle.csv", gradebook.Moodle}} {
		if b.file == "" {
			continue
		}
		book, err := input.ReadFile(ctx, env.path(b.file), maxGradebook)
		if err != nil {
			return nil, invalid("name a gradebook that was exported as CSV", "%w", err)
		}
		data, report, err := gradebook.Fill(book, grades, gradebook.Options{Kind: b.kind, Column: f.column,
			Scale: f.scale})
		if err != nil {
			return nil, err
		}
		books = append(books, filledGradebook{b.name, data, report})
	}
	return books, nil
}
