// Package manifests has what coalmine applies to a real cluster besides the learner's own
// manifests: versions, chart values, and YAML. It embeds the files and fills them in; it does not
// depend on clusters or charts.
//
// A file is a text/template over [Params], with five functions: include returns another file,
// filled in the same way; indent indents text by a number of spaces; quote writes a string as JSON,
// which is also YAML; base64 encodes it for byte fields; digest identifies a text.
package manifests

import "embed"

//go:embed versions.yaml */*.yaml
var files embed.FS
