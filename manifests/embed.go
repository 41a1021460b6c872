// Package manifests has what is applied to a real cluster beside the learner's own manifests: versions, the values of charts, and
// YAML. It has the files and fills them in; it knows no cluster and no chart.
//
// A file is a text/template over [Params]. Five functions are known in it: include gives another file, filled in alike; indent
// moves text to the right by a number of spaces; quote writes a string as JSON does, which is YAML too; base64 writes it as fields of
// bytes have it; digest tells one text from another.
package manifests

import "embed"

//go:embed versions.yaml */*.yaml
var files embed.FS
