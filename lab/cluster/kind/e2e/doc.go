// Package e2e has only tests, with the build tag e2e: they create a real cluster with the built
// program, run the conformance suite of clusters on it, disturb it during runs, and delete it. See
// docs/kind.md.
package e2e
