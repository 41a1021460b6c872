package arch

// module is the path that own imports begin with.
const module = "coalmine/"

// rule says which of the module's packages a package may import. Both are paths within the module, where * stands for any
// one element. A package follows the first rule that fits it.
type rule struct {
	pkg     string
	imports []string
	// kubernetes allows packages of Kubernetes and Flagger.
	kubernetes bool
}

// rules are read from the bottom of the stack to its top: what stands higher may import what stands lower.
func rules() []rule {
	return []rule{
		// Leaves.
		{pkg: "loadgen/chance"},
		{pkg: "loadgen/accesslog"},
		{pkg: "loadgen/mark"},
		{pkg: "loadgen/label"},
		{pkg: "loadgen/figure"},
		{pkg: "loadgen/pace"},
		{pkg: "lab/event"},
		{pkg: "lab/slo"},
		{pkg: "lab/score/oracle"},
		{pkg: "lab/logbook"},
		{pkg: "manifests"},
		{pkg: "lab/kindlab/place"},
		{pkg: "cmd/internal/arch"},

		// The learner's manifests, in the words of the log.
		{pkg: "lab/guardrail", kubernetes: true, imports: []string{"lab/event"}},

		// Models of users, services and the mesh.
		{pkg: "loadgen", imports: []string{"loadgen/chance", "loadgen/accesslog"}},
		{pkg: "lab/app", imports: []string{"loadgen/chance"}},
		{pkg: "lab/mesh", imports: []string{"loadgen/chance", "lab/event"}},
		{pkg: "lab/mesh/objects", kubernetes: true, imports: []string{"lab/mesh", "lab/guardrail"}},

		// A plan against real servers, and what is made of the answers.
		{pkg: "loadgen/attack", imports: []string{"loadgen", "loadgen/mark", "loadgen/pace"}},
		{pkg: "loadgen/ledger", imports: []string{"loadgen", "loadgen/label"}},
		{pkg: "loadgen/ledger/view", imports: []string{"loadgen/ledger", "loadgen/figure", "lab/score/oracle"}},
		{pkg: "loadgen/objective", imports: []string{"loadgen", "loadgen/ledger", "loadgen/figure", "lab/score/oracle"}},
		{pkg: "loadgen/expose", imports: []string{"loadgen", "loadgen/label"}},
		{pkg: "lab/tally", imports: []string{"lab/event"}},
		{pkg: "lab/tally/attempts", imports: []string{"lab/event", "lab/tally", "loadgen"}},
		{pkg: "lab/app/serve", imports: []string{"lab/app", "loadgen", "loadgen/chance", "loadgen/mark", "loadgen/pace"}},

		// Scenarios are data over the models.
		{pkg: "scenarios/v1alpha1", imports: []string{"lab/app", "lab/slo", "loadgen"}},
		{pkg: "scenarios/schemagen", imports: []string{"scenarios/v1alpha1"}},
		{pkg: "scenarios", imports: []string{"scenarios/v1alpha1", "lab/app", "lab/slo", "loadgen", "loadgen/accesslog"}},

		{pkg: "lab/services", imports: []string{"lab/app", "loadgen", "loadgen/chance", "scenarios"}},

		// The story of a run, and the clusters that play it.
		{pkg: "lab", imports: []string{"lab/event", "lab/guardrail", "scenarios"}},
		{pkg: "lab/gate", imports: []string{"lab/event", "lab/guardrail"}},
		{pkg: "lab/evidence", kubernetes: true, imports: []string{"lab/event", "lab/guardrail"}},
		{pkg: "lab/stage", kubernetes: true, imports: []string{"lab", "lab/event", "lab/evidence", "lab/guardrail", "lab/mesh", "scenarios"}},
		{pkg: "lab/sim", kubernetes: true, imports: []string{"lab", "lab/sim/*", "lab/app", "lab/event", "lab/evidence", "lab/gate", "lab/guardrail",
			"lab/mesh", "lab/mesh/objects", "lab/services", "lab/slo", "lab/stage", "lab/tally", "loadgen", "scenarios", "loadgen/chance"}},
		{pkg: "lab/sim/*", kubernetes: true, imports: []string{"lab/sim/*", "lab/app", "lab/event", "lab/gate", "lab/guardrail",
			"lab/mesh", "lab/slo", "lab/tally", "loadgen", "loadgen/chance"}},

		// A real cluster: the stand-in mesh and the desk run inside of it, kindlab outside.
		{pkg: "lab/standin/wire", imports: []string{"lab/mesh"}},
		{pkg: "lab/standin/ports"},
		{pkg: "lab/standin/intercept", imports: []string{"lab/standin/ports"}},
		{pkg: "lab/standin/proxy", imports: []string{"lab/mesh", "lab/standin/ports", "lab/standin/wire", "lab/kindlab/place", "loadgen/chance", "loadgen/mark"}},
		{pkg: "lab/standin/control", kubernetes: true, imports: []string{"lab/mesh", "lab/mesh/objects", "lab/guardrail", "lab/standin/wire",
			"lab/kindlab/place"}},
		{pkg: "lab/desk/client", imports: []string{"lab/event"}},
		{pkg: "lab/desk/*", kubernetes: true, imports: []string{"lab", "lab/desk/*", "lab/event", "lab/evidence", "lab/gate", "lab/guardrail", "lab/kindlab/place",
			"lab/mesh", "lab/mesh/objects", "lab/services", "lab/slo", "lab/tally", "lab/tally/*", "loadgen", "loadgen/*", "scenarios"}},
		{pkg: "lab/desk", kubernetes: true, imports: []string{"lab", "lab/desk/*", "lab/event", "lab/evidence", "lab/gate", "lab/guardrail", "lab/kindlab/place",
			"lab/mesh", "lab/mesh/objects", "lab/services", "lab/slo", "lab/tally", "loadgen", "loadgen/*", "scenarios"}},
		{pkg: "lab/kindlab", kubernetes: true, imports: []string{"lab", "lab/kindlab/*", "lab/desk/client", "lab/event", "lab/guardrail",
			"lab/mesh", "lab/mesh/objects", "lab/slo", "lab/stage", "scenarios", "manifests"}},
		{pkg: "lab/kindlab/e2e"}, // tests only, which may know everything
		{pkg: "lab/kindlab/*", kubernetes: true, imports: []string{"lab/kindlab/*", "lab/event", "manifests"}},
		{pkg: "lab/preflight", kubernetes: true, imports: []string{"lab/kindlab/*", "lab/event", "lab/mesh", "manifests"}},
		{pkg: "lab/worker", imports: []string{"lab", "lab/event", "lab/guardrail", "scenarios"}},
		{pkg: "lab/labtest", imports: []string{"lab", "lab/event", "lab/guardrail", "scenarios"}},
		{pkg: "lab/clustertest", kubernetes: true, imports: []string{"lab", "lab/app", "lab/event", "lab/guardrail", "lab/timeline", "scenarios"}},

		// What happened, and what it is worth: pure functions of recorded events.
		{pkg: "lab/record", imports: []string{"lab/event"}},
		{pkg: "lab/timeline", imports: []string{"lab/event"}},
		{pkg: "lab/timeline/*", imports: []string{"lab/timeline", "lab/event"}},
		{pkg: "lab/score", imports: []string{"lab/score/oracle", "lab/timeline", "lab/event", "scenarios"}},

		// Views.
		{pkg: "lab/report", imports: []string{"lab/report/*", "lab/score", "lab/timeline", "lab/timeline/*", "lab/event", "scenarios"}},
		{pkg: "lab/report/*", imports: []string{"lab/report/*", "lab/score", "lab/timeline", "lab/timeline/*", "lab/event", "scenarios"}},
		{pkg: "lab/quiz", imports: []string{"scenarios"}},
		{pkg: "lab/grade", imports: []string{"lab/record", "lab/score", "lab/timeline", "lab/event", "scenarios"}},
		{pkg: "tui", imports: []string{"tui/*", "lab/report", "lab/score", "lab/timeline", "lab/timeline/*", "lab/event", "scenarios"}},
		{pkg: "tui/*", imports: []string{"tui/*", "lab/logbook", "lab/report/dossier", "lab/report/words", "lab/score", "lab/timeline",
			"lab/timeline/*", "lab/event", "scenarios"}},

		// The command ties everything together.
		{pkg: "cmd/coalmine", imports: []string{"*", "*/*", "*/*/*"}},
	}
}

// nevers are packages that must not reach others over any number of imports.
func nevers() []struct{ pkg, never string } {
	return []struct{ pkg, never string }{
		{"tui", "lab"},
		{"lab/report", "lab"},
		{"lab/score", "lab"},
		{"lab/timeline", "scenarios"},
		{"scenarios", "lab/guardrail"}, // and with it Kubernetes
	}
}

// isKubernetes tells packages of Kubernetes and Flagger by their path. sigs.k8s.io/yaml is a YAML library.
var isKubernetes = []string{"k8s.io/", "sigs.k8s.io/gateway-api", "sigs.k8s.io/kind", "helm.sh/", "github.com/fluxcd/flagger/"}
