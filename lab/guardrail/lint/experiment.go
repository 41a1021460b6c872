package lint

import (
	"fmt"
	"strings"
	"time"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"
	"github.com/prometheus/common/model"

	"coalmine/lab/event"
	"coalmine/lab/guardrail/experiment"
)

func experimentRules() []Rule {
	return []Rule{
		{Name: "unowned-experiment", canary: checkUnownedExperiment, Section: sectionExperiments,
			What:   "An A/B test lacks an owner, a start, an end or a hypothesis.",
			Why:    "Nobody decides such a test, and so it never ends.",
			Source: "Kohavi, Tang, Xu: Trustworthy Online Controlled Experiments, 2020"},
		{Name: "experiment-window", canary: checkExperimentWindow, Section: sectionExperiments,
			What: "Start and end of an A/B test do not bound it.",
			Why: "An end before the start, in a quarter of a year or in the past ends nothing, and a test whose " +
				"iterations take longer than its window is cut off.",
			Source: "Kohavi, Tang, Xu: Trustworthy Online Controlled Experiments, 2020; docs/guardrails.md"},
	}
}

func checkUnownedExperiment(p *pass, v *flaggerv1.Canary) {
	if len(v.Spec.Analysis.Match) == 0 {
		return
	}
	var missing []string
	for _, a := range []string{event.AnnotationOwner, event.AnnotationStart, event.AnnotationEnd,
		event.AnnotationHypothesis} {
		if strings.TrimSpace(v.Annotations[a]) == "" {
			missing = append(missing, a)
		}
	}
	if len(missing) > 0 {
		p.warn("metadata.annotations", "the A/B test lacks "+strings.Join(missing, ", "), "add the annotations")
	}
}

func checkExperimentWindow(p *pass, v *flaggerv1.Canary) {
	start, end := v.Annotations[event.AnnotationStart], v.Annotations[event.AnnotationEnd]
	if len(v.Spec.Analysis.Match) == 0 || strings.TrimSpace(start) == "" || strings.TrimSpace(end) == "" {
		return
	}
	field := "metadata.annotations[" + event.AnnotationEnd + "]"
	window, problem := experiment.Window(start, end, p.set.Environment.Now)
	if problem != "" {
		p.warn(field, problem, "write a start and an end that lie at most 90 days apart")
		return
	}
	takes := time.Duration(v.Spec.Analysis.Iterations) * v.GetAnalysisInterval()
	if takes > window {
		p.warn(field, fmt.Sprintf("%d iterations of %s take %s, but the experiment ends %s after its start",
			v.Spec.Analysis.Iterations, model.Duration(v.GetAnalysisInterval()), model.Duration(takes),
			model.Duration(window)), "take fewer iterations, or move the end")
	}
}
