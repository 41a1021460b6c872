package markdown_test

import (
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"

	"coalmine/lab/report/markdown"
)

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"held at 25 %: success 97.2 < 99 (failed check 1 of 5)": `held at 25 %: success 97.2 \< 99 (failed check 1 of 5)`,
		"app_http_requests_total":                               `app\_http\_requests\_total`,
		"1.4 %":                                                 "1.4 %",
		"1. a list":                                             `1\. a list`,
		"12) a list":                                            `12\) a list`,
		"- a list":                                              `\- a list`,
		"a | b":                                                 `a \| b`,
		"two\nlines":                                            "two lines",
		"ask @everyone":                                         "ask @<!-- -->everyone",
		"see https://evil.test":                                 "see https<!-- -->://evil.test",
		"see www.evil.test":                                     "see www<!-- -->.evil.test",
		"#12":                                                   `\#12`,
		"[a](b) ![c](d)":                                        `\[a\](b) \!\[c\](d)`,
		"&lt;b>":                                                `\&lt;b\>`,
		`back\slash`:                                            `back\\slash`,
		"\u202eright to left":                                   "right to left",
		"> quoted":                                              `\> quoted`,
		"---":                                                   `\---`,
		"===":                                                   `\===`,
	} {
		if got := markdown.Text(in); got != want {
			t.Errorf("%q is written %q, want %q", in, got, want)
		}
	}
}

// TestForeignTextIsNoMarkup removes escapes and our own comments: no character that could start
// markup is left.
func TestForeignTextIsNoMarkup(t *testing.T) {
	signs := rapid.SampledFrom([]string{"<", ">", "|", "`", "*", "_", "[", "]", "\\", "#", "@", "://", "www.", "&",
		"!", "~", "$", "\n", "\r", "1.", "-->", "<!--", "a", " "})
	hostile := rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOf(rapid.OneOf(signs, rapid.String())).Draw(t, "parts"), "")
	})
	rapid.Check(t, func(t *rapid.T) {
		in := hostile.Draw(t, "text")
		left := plain(strings.ReplaceAll(markdown.Text(in), "<!-- -->", "\x00"))
		if i := strings.IndexAny(left, "\\`*_{}[]<>#|~$&!\n\r"); i >= 0 {
			t.Fatalf("%q is written so that %q may be markup", in, left[i:])
		}
		for i, r := range left {
			if r == '@' && !strings.HasPrefix(left[i+1:], "\x00") {
				t.Fatalf("%q mentions a user", in)
			}
			if r != 0 && !unicode.IsPrint(r) {
				t.Fatalf("%q keeps %q", in, r)
			}
		}
		if strings.Contains(strings.ReplaceAll(left, "\x00://", ""), "://") ||
			strings.Contains(strings.ToLower(left), "www.") {
			t.Fatalf("%q makes a link: %q", in, left)
		}
	})
}

// plain removes every escaped character.
func plain(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func TestPage(t *testing.T) {
	var p markdown.Page
	p.Heading(1, "Title")
	p.Paragraph("")
	p.Paragraph("Words.")
	p.Table([]string{"Name", ">Number"}, nil)
	p.Table([]string{"Name", ">Number"}, [][]string{{"a", "1"}, {"b", "2"}})
	p.List()
	p.List("x", "y")
	var b strings.Builder
	if err := p.Flush(&b); err != nil {
		t.Fatal(err)
	}
	want := "# Title\n\nWords.\n\n| Name | Number |\n| --- | ---: |\n| a | 1 |\n| b | 2 |\n\n- x\n- y\n"
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}
