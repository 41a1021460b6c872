// Package similar finds submissions that share more of what their authors wrote than chance
// explains. It says what to look at, and accuses nobody: small exercises leave little room.
package similar

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxFeatures bounds the features of one submission.
const maxFeatures = 2000

// Features returns digests of what files say beyond those that the author started with: every value
// with its path, and every comment. Names of files, order and layout do not count.
func Features(files, starter map[string][]byte) []string {
	given := map[string]bool{}
	collect(starter, func(s string) { given[s] = true })
	own := map[string]bool{}
	collect(files, func(s string) {
		if !given[s] && len(own) < maxFeatures {
			sum := sha256.Sum256([]byte(s))
			own[hex.EncodeToString(sum[:6])] = true
		}
	})
	return slices.Sorted(maps.Keys(own))
}

func collect(files map[string][]byte, add func(string)) {
	for _, name := range slices.Sorted(maps.Keys(files)) {
		for d := yaml.NewDecoder(bytes.NewReader(files[name])); ; {
			var node yaml.Node
			if err := d.Decode(&node); err != nil {
				if !errors.Is(err, io.EOF) {
					add("broken file " + string(files[name]))
				}
				break
			}
			kind := ""
			if len(node.Content) > 0 {
				kind = valueOf(node.Content[0], "kind")
			}
			walk(&node, kind, add)
		}
	}
}

// valueOf returns a field of a mapping.
func valueOf(node *yaml.Node, field string) string {
	for i := 0; node.Kind == yaml.MappingNode && i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == field {
			return node.Content[i+1].Value
		}
	}
	return ""
}

func walk(node *yaml.Node, path string, add func(string)) {
	for _, comment := range []string{node.HeadComment, node.LineComment, node.FootComment} {
		for line := range strings.Lines(comment) {
			if text := strings.TrimLeft(strings.TrimSpace(line), "# "); text != "" {
				add("comment " + strings.ToLower(text))
			}
		}
	}
	switch node.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			walk(node.Content[i+1], path+"."+node.Content[i].Value, add)
			walk(&yaml.Node{HeadComment: node.Content[i].HeadComment, LineComment: node.Content[i].LineComment,
				FootComment: node.Content[i].FootComment}, path, add)
		}
	case yaml.ScalarNode:
		add(path + "=" + strings.Join(strings.Fields(node.Value), " "))
	case yaml.DocumentNode, yaml.SequenceNode:
		for _, child := range node.Content {
			walk(child, path+"[]", add)
		}
	}
}

// Work is one submission to compare.
type Work struct {
	Author   string
	Features []string
}

// Pair are two submissions that are alike. Share is how much of what both wrote is in both, 0 to 1,
// where what few wrote weighs more than what many did.
type Pair struct {
	A, B   string
	Share  float64
	Common int
}

// Bounds of a pair that is worth a look.
const (
	minShare  = 0.85
	minCommon = 5
)

// Pairs returns the pairs that are alike, the most alike first.
func Pairs(works []Work) []Pair {
	weight := weights(works)
	total := make([]float64, len(works))
	holders := map[string][]int{}
	for i, w := range works {
		for _, f := range w.Features {
			total[i] += weight[f]
			holders[f] = append(holders[f], i)
		}
	}
	var pairs []Pair
	for i := range works {
		pairs = append(pairs, pairsOf(i, works, weight, total, holders)...)
	}
	slices.SortStableFunc(pairs, func(a, b Pair) int {
		return cmp.Or(cmp.Compare(b.Share, a.Share), strings.Compare(a.A, b.A), strings.Compare(a.B, b.B))
	})
	return pairs
}

// pairsOf compares work i with those after it.
func pairsOf(i int, works []Work, weight map[string]float64, total []float64, holders map[string][]int) []Pair {
	common, count := map[int]float64{}, map[int]int{}
	for _, f := range works[i].Features {
		for _, j := range holders[f] {
			if j > i {
				common[j] += weight[f]
				count[j]++
			}
		}
	}
	var pairs []Pair
	for _, j := range slices.Sorted(maps.Keys(common)) {
		share := common[j] / (total[i] + total[j] - common[j])
		if share >= minShare && count[j] >= minCommon {
			pairs = append(pairs, Pair{A: works[i].Author, B: works[j].Author, Share: math.Round(share*1000) / 1000,
				Common: count[j]})
		}
	}
	return pairs
}

// weights are the inverse document frequencies of the features.
func weights(works []Work) map[string]float64 {
	n := map[string]int{}
	for _, w := range works {
		for _, f := range w.Features {
			n[f]++
		}
	}
	weight := make(map[string]float64, len(n))
	for f, k := range n {
		weight[f] = math.Log(1 + float64(len(works))/float64(k))
	}
	return weight
}

// Text is a pair in words.
func (p Pair) Text() string {
	return fmt.Sprintf("%s and %s share %.0f %% of what they wrote", p.A, p.B, 100*p.Share)
}
