package service

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// check validates the behaviour, and its names against the vocabulary.
func (b Behaviour) check(v Vocabulary) error {
	f := findings{}
	if err := b.Validate(); err != nil {
		f = append(f, err)
	}
	for _, name := range slices.Sorted(maps.Keys(b.Routes)) {
		if name != "" && !slices.Contains(v.Routes, name) {
			f.add("routes", "route %q is not one of the traffic's routes %q", name, v.Routes)
		}
	}
	for i, x := range b.Faults {
		x.When.checkNames(&f, fmt.Sprintf("faults[%d].when", i), v)
	}
	return errors.Join(f...)
}

// checkNames finds names that are not in the vocabulary.
func (w When) checkNames(f *findings, path string, v Vocabulary) {
	for _, name := range w.Routes {
		if !slices.Contains(v.Routes, name) {
			f.add(path+".routes", "route %q is not one of the traffic's routes %q", name, v.Routes)
		}
	}
	for _, name := range w.Cohorts {
		if !slices.Contains(v.Cohorts, name) {
			f.add(path+".cohorts", "cohort %q is not one of the traffic's cohorts %q", name, v.Cohorts)
		}
	}
	if w.Header != nil && v.Header == nil {
		f.add(path+".header", "the vocabulary has no headers")
	}
	if w.Cookie != nil && v.Cookie == nil {
		f.add(path+".cookie", "the vocabulary has no cookies")
	}
}
