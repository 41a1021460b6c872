package guardrail

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"
	"github.com/rogpeppe/go-internal/txtar"
)

// FuzzParse looks for input that makes decoding panic, and for accepted guardrails that leave their
// confines.
func FuzzParse(f *testing.F) {
	paths, _ := filepath.Glob("testdata/*/*.txtar")
	for _, path := range paths {
		a, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range a.Files {
			f.Add(file.Data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		set, err := Parse(map[string][]byte{"a.yaml": data}, testEnvironment())
		if err != nil {
			checkErrors(t, err)
			return
		}
		for _, o := range set.Objects {
			checkConfined(t, o)
		}
	})
}

func checkErrors(t *testing.T, err error) {
	var found Errors
	if !errors.As(err, &found) || len(found) == 0 || len(found) > maxErrors+1 {
		t.Fatalf("got %#v", err)
	}
	for _, f := range found {
		if f.Message == "" || f.Hint == "" || strings.ContainsAny(f.String(), "\n\x00\x1b") {
			t.Fatalf("got %q", f.String())
		}
	}
}

func checkConfined(t *testing.T, o Object) {
	if o.Kind != "Namespace" && o.Namespace != "develop" {
		t.Fatalf("%s %s is in namespace %q", o.Kind, o.Name, o.Namespace)
	}
	c, ok := o.Value.(*flaggerv1.Canary)
	if !ok {
		return
	}
	for _, w := range c.Spec.Analysis.Webhooks {
		if !strings.HasPrefix(w.URL, "http://"+GateHost) || w.DisableTLS {
			t.Fatalf("accepted webhook %+v", w)
		}
	}
}
