package objective

import (
	"fmt"
	"slices"
	"strings"

	"coalmine/lab/input/spelling"
)

const metricNames = "p50 to p99.99, mean, max, success, errors, bad, rate and statuses such as 4xx and 404"

// vocabulary lists the words that may precede an operator.
func vocabulary() []string {
	words := []string{"cohort", "route", "version", "p50", "p90", "p95", "p99", "p99.9", "4xx", "5xx"}
	for _, m := range metrics() {
		words = append(words, m.name)
	}
	return words
}

// synonyms maps terms of other tools to ours.
func synonyms() map[string]string {
	return map[string]string{"avg": "mean", "average": "mean", "median": "p50", "med": "p50", "p100": "max",
		"rps": "rate", "qps": "rate",
		"throughput": "rate", "failed": "errors", "failures": "errors", "error_rate": "errors",
		"availability": "success", "latency": "p99",
		"path": "route", "segment": "cohort", "code": "4xx", "status": "4xx", "http_code": "4xx"}
}

// suggest returns the most similar of the words, if one is similar enough.
func suggest(word string, words []string) string {
	word = strings.ToLower(word)
	best, distance := synonyms()[word], 0
	if best != "" && !slices.Contains(words, best) {
		best = ""
	}
	for _, w := range words {
		// At most one edit per three characters is similar.
		d := spelling.Distance(word, strings.ToLower(w))
		if near := d <= (len(word)+2)/3 && d < len(word); best == "" && near || best != "" && d < distance {
			best, distance = w, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %s?)", best)
}

// list joins words, abbreviating long lists.
func list(words []string) string {
	const most = 10
	if len(words) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(words[:most], ", "), len(words)-most)
	}
	if n := len(words) - 1; n > 0 {
		return strings.Join(words[:n], ", ") + " and " + words[n]
	}
	return strings.Join(words, "")
}
