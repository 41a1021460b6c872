// Package ports parses lists of ports in Linkerd's annotations.
package ports

import (
	"fmt"
	"strconv"
	"strings"
)

// Range is a range of TCP ports, both ends included.
type Range struct{ First, Last uint16 }

// Set is a list of ranges.
type Set []Range

// Parse parses ports and ranges with commas between them: "4222,8000-8100". Spaces and empty
// elements are ignored.
func Parse(text string) (Set, error) {
	var set Set
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		r, err := parseRange(part)
		if err != nil {
			return nil, fmt.Errorf("%q is not a list of ports: %w: write ports from 1 to 65535, as "+
				"4222,8000-8100", text, err)
		}
		set = append(set, r)
	}
	return set, nil
}

func parseRange(text string) (Range, error) {
	low, high, ranged := strings.Cut(text, "-")
	first, err := parsePort(low)
	if err != nil || !ranged {
		return Range{first, first}, err
	}
	last, err := parsePort(high)
	if err == nil && last < first {
		err = fmt.Errorf("the range %s ends before it begins", text)
	}
	return Range{first, last}, err
}

func parsePort(text string) (uint16, error) {
	n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 16)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%q is not a port", text)
	}
	return uint16(n), nil
}

// Has reports whether a port is in the set.
func (s Set) Has(port uint16) bool {
	for _, r := range s {
		if r.First <= port && port <= r.Last {
			return true
		}
	}
	return false
}
