// Package e2e has nothing but tests, with the build tag e2e: they bring a real cluster up by the built program, put the conformance
// suite of clusters to it, disturb it during runs, and take it down again. See docs/kind.md.
package e2e
