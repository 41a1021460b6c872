package result

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"coalmine/lab/event"
	"coalmine/lab/format"
	"coalmine/lab/input/digest"
	"coalmine/lab/run/folder"
	"coalmine/lab/scenario"
	"coalmine/lab/verdict/score"
	"coalmine/scenarios"
)

// checkInputs checks that a log was recorded with the scenario and the guardrails of the folder
// that it is in, and in the role that it has there. Logs of older versions have no digests; in a
// folder with evidence they need them.
func (r *Recording) checkInputs(run folder.Run, events []event.Event) error {
	if len(events) == 0 {
		return nil
	}
	started, _ := events[0].Fact.(event.RunStarted) // the folder accepts no other opening
	if started.ScenarioDigest == "" && r.Manifest.Evidence == nil {
		return nil
	}
	role := score.Role(run.Role)
	what := ""
	switch {
	case started.ScenarioDigest != r.Scenario.Digest():
		what = "with another scenario than scenario/" + scenario.FileScenario
	case started.Guarded != (role != score.RoleUnguarded), started.Role != releaseRole(role):
		what = "in another role"
	case role != score.RoleUnguarded && role != score.RoleReference &&
		started.GuardrailsDigest != digest.Files(r.Guardrails):
		what = "with other guardrails than those in guardrails/"
	case !maps.Equal(started.Drawn, r.drawn(run.Seed)):
		what = "with other parameters than its seed draws"
	default:
		return nil
	}
	return fmt.Errorf("runs/%s: the log was recorded %s: files were moved or edited", run.Name(), what)
}

// drawn are the parameters that the runs of a seed have.
func (r *Recording) drawn(seed uint64) map[string]float64 {
	if !r.Manifest.Options.Drawn {
		return nil
	}
	return r.Scenario.Draw(seed).Drawn
}

// releaseRole returns the role of the version that a run of a trial releases.
func releaseRole(r score.Role) string {
	switch r {
	case score.RoleHealthy:
		return scenario.RoleHealthy
	case score.RoleOther:
		return ""
	}
	return scenario.RoleFaulty
}

// FromLibrary returns the folder of the library's scenario with the name and the contents of s, or
// nil if there is none.
func FromLibrary(s *scenario.Scenario) *scenario.Folder {
	f, err := scenario.Open(scenarios.Library(), s.Name)
	if err != nil {
		return nil
	}
	if own, err := f.Load(); err != nil || own.Digest() != s.Digest() {
		return nil
	}
	return f
}

// Own returns the variant of a scenario that guardrails are a copy of, whatever the names of the
// files and their comments, or "" if there is none. A copy of the starter is a learner's, also where
// another variant says the same.
func Own(f *scenario.Folder, guardrails map[string][]byte) string {
	names, err := f.Variants()
	if err != nil || isCopy(f, scenario.Starter, guardrails) {
		return ""
	}
	for _, name := range names {
		if isCopy(f, name, guardrails) {
			return name
		}
	}
	return ""
}

// isCopy reports whether guardrails are a copy of a variant of a scenario.
func isCopy(f *scenario.Folder, variant string, guardrails map[string][]byte) bool {
	files, err := f.Files(variant)
	sum := digest.Documents(guardrails)
	return err == nil && sum != "" && digest.Documents(files) == sum
}

// own returns the variant of the scenario that was played, also under another name.
func (r *Recording) own() string {
	own := r.Manifest.Options.Guardrails
	if e := r.Manifest.Evidence; e != nil {
		own = cmp.Or(own, e.Own)
	}
	if f := FromLibrary(r.Scenario); f != nil && r.guardrailsErr == nil {
		own = cmp.Or(own, Own(f, r.Guardrails))
	}
	return own
}

// remarks say what is special about where the result on a card comes from.
func (r *Recording) remarks(c *score.Card) []string {
	var all []string
	if text := libraryRemark(r.Scenario); text != "" {
		all = append(all, text)
	}
	if c.Own != "" && c.Exit == score.ExitPassed {
		all = append(all, fmt.Sprintf("The guardrails are the scenario's own, %s: it does not count as solved.", c.Own))
	} else if c.Own != "" {
		all = append(all, fmt.Sprintf("The guardrails are the scenario's own, %s.", c.Own))
	} else if f := FromLibrary(r.Scenario); f != nil && isCopy(f, scenario.Starter, r.Guardrails) {
		all = append(all, "The guardrails are the scenario's starter, unchanged.")
	}
	all = append(all, c.Basis.Remarks()...)
	all = append(all, checkRemarks(c)...)
	if text := silenceRemark(c.Runs); text != "" {
		all = append(all, text)
	}
	if r.Manifest.Options.Drawn {
		all = append(all, "The runs have parameters that their seeds drew: "+r.drawnText()+".")
	}
	if e := r.Manifest.Evidence; e == nil {
		all = append(all, "run.json has no digests: the trial did not end, or was played by an older version.")
	} else if e.Hints > 0 {
		all = append(all, fmt.Sprintf("%s of the scenario had been taken.", format.Plural(e.Hints, "hint")))
	}
	return all
}

// checkRemarks say what is special about the check seeds of a card.
func checkRemarks(c *score.Card) []string {
	switch k := c.Check; {
	case k == nil:
		return nil
	case k.Planned == 0 && c.Own == "" && !c.Players.InSim():
		return []string{"No check seeds were played on the cluster, where each takes two runs in real time: it does " +
			"not count as solved. Play the same guardrails in the sim, or with --check-seeds."}
	case k.Planned == 0 && c.Own == "":
		return []string{"No check seeds were played: it does not count as solved."}
	case k.Given:
		return []string{fmt.Sprintf("Nonce given: the check seeds follow from %q, which was not drawn at random: "+
			"it does not count as solved.", k.Nonce)}
	case k.Worst != nil && k.Planned > 0:
		return []string{fmt.Sprintf("To play the worst check seed, run the same guardrails with --seed %d --drawn. "+
			"It drew %s.", k.Worst.Seed, score.DrawnText(k.Worst.Drawn))}
	}
	return nil
}

// drawnText is what the seeds of the runs drew.
func (r *Recording) drawnText() string {
	var all []string
	for _, seed := range folder.Seeds(r.Manifest.Runs) {
		all = append(all, fmt.Sprintf("seed %d drew %s", seed, score.DrawnText(r.drawn(seed))))
	}
	return strings.Join(all, "; ")
}

// libraryRemark says how a scenario differs from the library, or "".
func libraryRemark(s *scenario.Scenario) string {
	names, err := scenario.Names(scenarios.Library())
	switch {
	case err != nil || FromLibrary(s) != nil:
		return ""
	case slices.Contains(names, s.Name):
		return fmt.Sprintf("This is not the library's scenario %s: it was edited, or is of another version.", s.Name)
	}
	return fmt.Sprintf("The scenario %s is not in the library.", s.Name)
}
