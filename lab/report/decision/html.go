package decision

import (
	"bytes"
	"fmt"
	"html/template"
	"io"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"

	"coalmine/lab/report/model"
)

// shell is the page around the text: no script, no address outside of it.
const shell = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{{.Title}}</title>
<style>
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2, h3 { line-height: 1.2; margin: 1.6em 0 .4em; }
h2 { border-bottom: 1px solid color-mix(in srgb, currentColor 25%, transparent); padding-bottom: .2em; }
table { border-collapse: collapse; display: block; overflow-x: auto; margin: .8em 0; }
th, td { padding: .3em .7em; border-bottom: 1px solid color-mix(in srgb, currentColor 15%, transparent); }
th { text-align: left; }
code { font-size: .8em; overflow-wrap: anywhere; }
@media print { body { font-size: 11pt; margin: 0; max-width: none; } table { display: table; } }
</style>
<main>
{{.Body}}
</main>
</html>
`

// HTML writes the package as one page.
func HTML(w io.Writer, t *model.Trial, digests []Digest) error {
	var text, body bytes.Buffer
	if err := Write(&text, t, digests); err != nil {
		return err
	}
	md := goldmark.New(goldmark.WithExtensions(extension.Table))
	if err := md.Convert(text.Bytes(), &body); err != nil {
		return fmt.Errorf("convert the package to HTML: %w", err)
	}
	page, err := template.New("package").Parse(shell)
	if err != nil {
		return err
	}
	return page.Execute(w, struct {
		Title string
		Body  template.HTML // of goldmark, which lets no HTML of the text through
	}{"Go or no-go: " + t.Card.Title, template.HTML(body.String())})
}
