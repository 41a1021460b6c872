package lint

import (
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"coalmine/lab/guardrail"
	"coalmine/lab/guardrail/series"
)

// flaggerAnnotations begin so. Flagger reads one of them on the kinds that guardrails have:
// config-tracking, on ConfigMaps and Secrets.
const (
	flaggerAnnotations = "flagger.app/"
	configTracking     = flaggerAnnotations + "config-tracking"
)

func annotationRules() []Rule {
	return []Rule{
		{Name: "unknown-annotation", object: checkFlaggerAnnotations, Section: sectionFolder,
			What:   "An annotation flagger.app/… is one that Flagger does not read.",
			Why:    "It has no effect: Flagger is told by fields of the Canary.",
			Source: "flagger pkg/canary/config_tracker.go, configIsDisabled; pkg/router/knative.go"},
	}
}

func checkFlaggerAnnotations(p *pass) {
	v, ok := p.object.Value.(metav1.Object)
	if !ok {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(v.GetAnnotations())) {
		if !strings.HasPrefix(name, flaggerAnnotations) {
			continue
		}
		value := v.GetAnnotations()[name]
		field := "metadata.annotations[" + name + "]"
		_, isMap := p.object.Value.(*corev1.ConfigMap)
		_, isSecret := p.object.Value.(*corev1.Secret)
		switch {
		case name != configTracking:
			p.warn(field, "Flagger reads no annotation "+guardrail.Clip(name), annotationHint(name))
		case !isMap && !isSecret:
			p.warn(field, "Flagger reads it on ConfigMaps and Secrets only",
				"move it to the one that is not to be tracked")
		case !strings.HasPrefix(value, "disable"):
			p.warn(field, "only the value disabled has an effect, not "+guardrail.Clip(value), "write disabled")
		}
	}
}

// annotationHint names the field that an annotation seems to stand for.
func annotationHint(name string) string {
	key := strings.TrimPrefix(name, flaggerAnnotations)
	if series.Closest(key, []string{"config-tracking"}) != "" {
		return "did you mean " + configTracking + "?"
	}
	switch key {
	case "skip-analysis", "skipAnalysis":
		return "write spec.skipAnalysis"
	case "suspend":
		return "write spec.suspend"
	}
	return "remove it"
}
