// Package arch keeps the shape of the repository: which package may import which, and a few rules
// of the house that a compiler does not check. It is nothing but its tests; the rules stand in
// rules_test.go as data.
package arch
