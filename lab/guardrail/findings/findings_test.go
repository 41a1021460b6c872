package findings_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
	"github.com/rogpeppe/go-internal/txtar"

	"coalmine/lab/guardrail"
	"coalmine/lab/guardrail/findings"
	"coalmine/lab/guardrail/lint"
)

var update = flag.Bool("update", false, "write the actual output to testdata")

func report(t *testing.T, files map[string][]byte) findings.Report {
	t.Helper()
	set, err := guardrail.Parse(files, guardrail.Environment{
		Namespace: "develop", Targets: []string{"backend"}, Ports: map[string]int{"backend": 80},
		TargetPorts: map[string]int{"backend": 8080},
	})
	var wrong guardrail.Errors
	if err != nil && !errors.As(err, &wrong) {
		t.Fatal(err)
	}
	return findings.New(set, wrong, func(f guardrail.Finding) guardrail.Finding {
		f.File = "deploy/" + f.File
		return f
	})
}

// archive reads the manifests of an archive and the outputs that they should have.
func archive(t *testing.T, path string) (*txtar.Archive, map[string][]byte) {
	t.Helper()
	a, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, f := range a.Files {
		if filepath.Ext(f.Name) == ".yaml" {
			files[f.Name] = f.Data
		}
	}
	return a, files
}

// TestFormats compares the outputs of each archive.
func TestFormats(t *testing.T) {
	paths, _ := filepath.Glob("testdata/*.txtar")
	if len(paths) == 0 {
		t.Fatal("there are no archives")
	}
	for _, path := range paths {
		a, files := archive(t, path)
		r := report(t, files)
		for i, f := range a.Files {
			format, ok := strings.CutPrefix(f.Name, "want.")
			if !ok {
				continue
			}
			t.Run(filepath.Base(path)+"/"+format, func(t *testing.T) {
				var b bytes.Buffer
				if err := r.Write(&b, format, "1.2.3"); err != nil {
					t.Fatal(err)
				}
				if *update {
					a.Files[i].Data = b.Bytes()
				} else if b.String() != string(f.Data) {
					t.Errorf("got\n%s\nwant\n%s", b.String(), f.Data)
				}
			})
		}
		if *update {
			if err := os.WriteFile(path, txtar.Format(a), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestSARIFIsValid checks the output against the schema of SARIF 2.1.0 and what code hosts need.
func TestSARIFIsValid(t *testing.T) {
	_, files := archive(t, "testdata/suppress.txtar")
	var b bytes.Buffer
	if err := report(t, files).Write(&b, "sarif", "1.2.3"); err != nil {
		t.Fatal(err)
	}
	log, err := sarif.FromBytes(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if err := log.Validate(); err != nil {
		t.Error(err)
	}
	run := log.Runs[0]
	rules := map[string]bool{}
	for i, rule := range run.Tool.Driver.Rules {
		rules[*rule.ID] = true
		if run.GetRuleIndex(*rule.ID) != i {
			t.Errorf("rule %s is listed twice", *rule.ID)
		}
	}
	for _, rule := range lint.Rules() {
		if !rules[rule.Name] {
			t.Errorf("rule %s is missing", rule.Name)
		}
	}
	suppressed := 0
	for _, result := range run.Results {
		suppressed += len(result.Suppressions)
		at := result.Locations[0].PhysicalLocation
		file := *at.ArtifactLocation.URI
		if !rules[*result.RuleID] || !strings.HasPrefix(file, "deploy/") || *at.Region.StartLine < 1 {
			t.Errorf("rule %s of %s is not listed, or has no place", *result.RuleID, file)
		}
	}
	if len(run.Results) == 0 || suppressed == 0 {
		t.Errorf("there are %d results, %d suppressed: want both", len(run.Results), suppressed)
	}
}

func TestJSONKeepsSuppressed(t *testing.T) {
	_, files := archive(t, "testdata/suppress.txtar")
	var b bytes.Buffer
	if err := report(t, files).Write(&b, "json", "1.2.3"); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Errors, Warnings, Notes, Suppressed int
		Findings                            []struct{ Severity, Suppressed string }
	}
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	active := len(got.Findings) - got.Suppressed
	if active != got.Errors+got.Warnings+got.Notes || got.Suppressed == 0 {
		t.Errorf("the counts %d + %d + %d do not add up to %d", got.Errors, got.Warnings, got.Notes, active)
	}
}

func TestFails(t *testing.T) {
	r := findings.Report{Findings: []findings.Finding{
		{Finding: guardrail.Finding{Severity: guardrail.SeverityError}, Reason: "suppressed"},
		{Finding: guardrail.Finding{Severity: guardrail.SeverityWarning}},
	}}
	for name, want := range map[string]bool{"error": false, "warning": true, "note": true} {
		s, ok := findings.Severity(name)
		if got := r.Fails(s); !ok || got != want {
			t.Errorf("with --fail-on %s a warning fails: %v, want %v", name, got, want)
		}
	}
	if _, ok := findings.Severity("fatal"); ok {
		t.Error("fatal is a severity")
	}
}

// A comment that suppresses nothing is named only if it is known that there was nothing to suppress:
// some rules need a scenario or its traffic, and others all manifests.
func TestUnusedSuppressions(t *testing.T) {
	for _, c := range []struct {
		rule            string
		alone, scenario bool // is named without and with a scenario
	}{
		{"skip-analysis", true, true},
		{"short-horizon", false, true},
		{"target-port", false, true},
		{"unknown-series", false, true},
		{"quantile-of-few", false, true},
		{"unresolvable-threshold", false, true},
		{"reads-version", false, true},
		{"lab-note", false, true},
		{"unused", true, true},
	} {
		files := map[string][]byte{"canary.yaml": []byte("# coalmine:ignore " + c.rule + " as agreed\n" + `apiVersion: flagger.app/v1beta1
kind: Canary
metadata: {name: backend, namespace: develop}
spec:
  provider: gatewayapi:v1beta1
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: backend}
  service:
    port: 80
    targetPort: 8080
    gatewayRefs: [{group: core, kind: Service, name: backend, namespace: develop, port: 80}]
  analysis: {interval: 30s, threshold: 5, stepWeights: [10, 50]}
`)}
		env := guardrail.Environment{Namespace: "develop", Targets: []string{"backend"},
			Ports: map[string]int{"backend": 80}, TargetPorts: map[string]int{"backend": 8080}}
		for _, known := range []bool{false, true} {
			want := c.alone
			if known {
				env.ReleaseTarget, env.Rates, want = "backend", map[string]float64{"backend": 100}, c.scenario
			}
			if got := namesUnused(t, files, env, nil); got != want {
				t.Errorf("%s, scenario known: %v: named %v, want %v", c.rule, known, got, want)
			}
		}
		broken := guardrail.Errors{{Message: "is not valid"}}
		if namesUnused(t, files, env, broken) {
			t.Errorf("%s is named although a manifest could not be read", c.rule)
		}
	}
}

func namesUnused(t *testing.T, files map[string][]byte, env guardrail.Environment, errs guardrail.Errors) bool {
	t.Helper()
	set, err := guardrail.Parse(files, env)
	if err != nil {
		t.Fatal(err)
	}
	r := findings.New(set, errs, func(f guardrail.Finding) guardrail.Finding { return f })
	return slices.ContainsFunc(r.Active(), func(f findings.Finding) bool {
		return f.Rule == lint.RuleUnusedSuppression
	})
}
