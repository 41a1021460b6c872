package guardrail

import (
	"fmt"
	"strings"
	"testing"
)

// parseText parses one file.
func parseText(text string) (*Set, error) {
	return Parse(map[string][]byte{"a.yaml": []byte(text)}, testEnvironment())
}

func TestParseRejectsHostileYAML(t *testing.T) {
	bomb := "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
	for i := 1; i < 10; i++ {
		bomb += fmt.Sprintf("a%d: &a%d [%s]\n", i, i,
			strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 9), ", "))
	}
	for name, c := range map[string]struct{ text, want string }{
		"bomb":           {bomb, "YAML nodes in total"},
		"cycle":          {"a: &a [*a]", "alias *a contains itself"},
		"deep flow":      {strings.Repeat("[", MaxFlowDepth+1), "brackets are open at once"},
		"deep flow seen": {"a: " + strings.Repeat("[", 100) + strings.Repeat("]", 100), "nested deeper than"},
		"deep block":     {strings.Repeat("- ", 500) + "a", "nested deeper than"},
		"nodes":          {"a: [" + strings.Repeat("1,", MaxNodes) + "]", "YAML nodes in total"},
		"documents": {strings.Repeat(configMap+"---\n", MaxDocuments+1),
			fmt.Sprintf("more than %d documents", MaxDocuments)},
		"empty ones":    {strings.Repeat("---\n", MaxDocuments+2), fmt.Sprintf("more than %d documents", MaxDocuments)},
		"large":         {strings.Repeat("#", MaxFileSize+1), "larger than"},
		"NUL":           {"a: b\nc: \x00", "a.yaml:2: the file contains a NUL byte"},
		"not UTF-8":     {"a: b\n\nc: \xff", "a.yaml:3: the file is not UTF-8 text"},
		"UTF-16":        {"\xff\xfea\x00:\x00", "a.yaml:1: the file is not UTF-8 text"},
		"key is a list": {configMap + "data:\n  ? [a]\n  : b", "a key must be a string"},
		"key is a bool": {configMap + "data: {true: b}", "key true is not a string"},
		"infinite": {"apiVersion: flagger.app/v1beta1\nkind: Canary\nmetadata: {name: a}\n" +
			"spec: {analysis: {metrics: [{threshold: .inf}]}}", "must be a number"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseText(c.text)
			wantError(t, err, c.want)
		})
	}
}

func TestParseLimitsErrors(t *testing.T) {
	var text strings.Builder
	text.WriteString(configMap)
	for i := range 2 * maxErrors {
		fmt.Fprintf(&text, "unknown%d: 1\n", i)
	}
	_, err := parseText(text.String())
	found := err.(Errors)
	if len(found) != maxErrors+1 || !strings.Contains(found[maxErrors].Message, fmt.Sprint(maxErrors, " more errors")) {
		t.Errorf("got %d errors, the last is %v", len(found), found[len(found)-1])
	}
}

func TestErrorsQuoteLittleOfTheInput(t *testing.T) {
	_, err := parseText(configMap + strings.Repeat("x", 10_000) + ": 1\n")
	if n := len(err.Error()); n > 1000 {
		t.Errorf("the error is %d bytes long", n)
	}
	_, err = parseText(configMap + "\"\\e[2J\\r\\n\": 1\n")
	if strings.ContainsAny(err.Error(), "\x1b\r\n") {
		t.Errorf("the error contains control characters: %q", err.Error())
	}
}

// BenchmarkHostileYAML measures the worst inputs of the largest size.
func BenchmarkHostileYAML(b *testing.B) {
	for name, unit := range map[string]string{
		"comments": "#\n", "keys": "? ", "dashes": "- ", "colons": ":\n", "quotes": "\"\\n\n", "anchors": "&a ",
		"documents": "---\n",
		"indents":   " a:\n", "commas": "[a,]\n", "percent": "%a\n", "lines": "\n", "pairs": "a: b\n",
		"block": "- |\n x\n", "bang": "!a ",
		"comment values": "a: #b\n", "flow comments": "[#\n",
	} {
		data := []byte(strings.Repeat(unit, MaxFileSize/len(unit)))
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				Parse(map[string][]byte{"a.yaml": data}, Environment{})
			}
		})
	}
}
