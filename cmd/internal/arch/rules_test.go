package arch

// module is the path that own imports begin with.
const module = "coalmine/"

// rule says which of the module's packages a package may import. Both are paths within the module,
// where * stands for any one element. A package follows the first rule that fits it.
type rule struct {
	pkg     string
	imports []string
	// kubernetes allows packages of Kubernetes and Flagger.
	kubernetes bool
}

// rules are read from the bottom of the stack to its top: what is higher may import what is lower.
func rules() []rule {
	return []rule{
		// Leaves.
		{pkg: "loadgen/rng"},
		{pkg: "loadgen/heap"},
		{pkg: "loadgen/accesslog"},
		{pkg: "loadgen/traceheader"},
		{pkg: "loadgen/cardinality"},
		{pkg: "loadgen/pacer", imports: []string{"loadgen/heap"}},
		{pkg: "lab/event"},
		{pkg: "lab/guardrail/experiment"},
		{pkg: "lab/format"},
		{pkg: "lab/format/palette"},
		{pkg: "lab/input/digest"},
		{pkg: "lab/input/yamlpos"},
		{pkg: "lab/guardrail/loadtester"},
		{pkg: "lab/teaching/progress"},
		{pkg: "lab/guardrail/promeval"},
		{pkg: "lab/input"},
		{pkg: "lab/input/spelling"},
		{pkg: "lab/verdict/stats"},
		{pkg: "lab/cluster/names"},
		{pkg: "manifests"},
		{pkg: "scenarios"},
		{pkg: "scenarios/lessons"},
		{pkg: "cmd/internal/arch"},

		// Traffic: a plan, its execution against real servers, and the results.
		{pkg: "loadgen", imports: []string{"loadgen/rng", "loadgen/heap", "loadgen/accesslog"}},
		{pkg: "loadgen/attack", imports: []string{"loadgen", "loadgen/heap", "loadgen/traceheader", "loadgen/pacer"}},
		{pkg: "loadgen/results", imports: []string{"loadgen", "loadgen/cardinality"}},
		{pkg: "loadgen/promexport", imports: []string{"loadgen", "loadgen/cardinality"}},

		// Services, scenarios and the mesh.
		{pkg: "lab/service", imports: []string{"loadgen/rng"}},
		{pkg: "lab/service/server", imports: []string{"lab/service", "loadgen", "loadgen/rng", "loadgen/traceheader",
			"loadgen/pacer"}},
		{pkg: "lab/scenario/v1alpha1", imports: []string{"lab/service", "lab/input/yamlpos", "loadgen"}},
		{pkg: "lab/scenario/schemagen", imports: []string{"lab/guardrail/mapping", "lab/teaching/quiz", "lab/scenario",
			"lab/scenario/v1alpha1"}},
		{pkg: "lab/scenario/services", imports: []string{"lab/scenario", "lab/service", "loadgen", "loadgen/rng"}},
		{pkg: "lab/scenario", imports: []string{"lab/input/digest", "lab/scenario/quizexpr", "lab/scenario/v1alpha1",
			"lab/service",
			"lab/input", "lab/input/yamlpos", "loadgen", "loadgen/accesslog", "loadgen/rng", "scenarios"}},
		{pkg: "lab/guardrail/admission", imports: []string{"lab/input/yamlpos"}},
		{pkg: "lab/guardrail/yamledit"},
		{pkg: "lab/guardrail/series", imports: []string{"lab/input/spelling"}},
		{pkg: "lab/guardrail/mapping", kubernetes: true,
			imports: []string{"lab/guardrail/series", "lab/input/yamlpos"}},
		{pkg: "lab/guardrail", kubernetes: true, imports: []string{"lab/input/digest", "lab/input",
			"lab/input/spelling",
			"lab/event", "lab/scenario", "lab/service", "lab/input/yamlpos", "lab/guardrail/admission",
			"lab/guardrail/crd", "lab/guardrail/mapping", "lab/guardrail/yamledit", "lab/guardrail/loadtester"}},
		{pkg: "lab/guardrail/crd", kubernetes: true, imports: []string{"lab/input/yamlpos"}},
		{pkg: "lab/guardrail/crd/crdgen", kubernetes: true},
		{pkg: "lab/guardrail/source", kubernetes: true,
			imports: []string{"lab/guardrail", "lab/guardrail/mapping", "lab/input", "lab/input/yamlpos"}},
		{pkg: "lab/guardrail/lint", kubernetes: true,
			imports: []string{"lab/event", "lab/guardrail/experiment", "lab/guardrail", "lab/guardrail/series",
				"lab/input/yamlpos", "lab/mesh", "lab/mesh/k8s", "lab/guardrail/promeval"}},
		{pkg: "lab/guardrail/findings", kubernetes: true, imports: []string{"lab/guardrail", "lab/guardrail/lint"}},
		{pkg: "lab/guardrail/guardrailtest"},
		{pkg: "lab/mesh/recordings"}, // tests only, which may import everything
		{pkg: "lab/mesh", imports: []string{"loadgen/rng", "lab/event"}},
		{pkg: "lab/mesh/k8s", kubernetes: true, imports: []string{"lab/mesh", "lab/guardrail"}},

		// What a cluster is, and the two that exist.
		{pkg: "lab/cluster", imports: []string{"lab/event", "lab/guardrail", "lab/scenario"}},
		{pkg: "lab/cluster/gate", imports: []string{"lab/event", "lab/guardrail", "lab/mesh", "lab/scenario"}},
		{pkg: "lab/cluster/trafficstats", imports: []string{"lab/event", "loadgen"}},
		{pkg: "lab/cluster/workloads", kubernetes: true,
			imports: []string{"lab/cluster", "lab/event", "lab/guardrail", "lab/mesh", "lab/scenario"}},
		{pkg: "lab/cluster/sim", kubernetes: true, imports: []string{"lab/cluster", "lab/cluster/sim/*", "lab/service",
			"lab/event",
			"lab/cluster/workloads", "lab/cluster/gate", "lab/guardrail", "lab/mesh", "lab/mesh/k8s",
			"lab/scenario/services",
			"lab/cluster/trafficstats", "loadgen", "lab/scenario", "loadgen/rng", "lab/guardrail/loadtester"}},
		{pkg: "lab/cluster/sim/*", kubernetes: true, imports: []string{"lab/cluster/sim/*", "lab/service", "lab/event",
			"lab/cluster/gate",
			"lab/guardrail", "lab/mesh", "lab/cluster/trafficstats", "loadgen", "loadgen/heap", "loadgen/rng"}},
		{pkg: "lab/cluster/backoff"},
		{pkg: "lab/cluster/podstatus", kubernetes: true},
		{pkg: "lab/cluster/agent/client", imports: []string{"lab/cluster/backoff", "lab/event"}},
		{pkg: "lab/cluster/agent/trafficpod", imports: []string{"lab/cluster/backoff", "lab/cluster/agent/client",
			"lab/event", "lab/service",
			"lab/cluster/trafficstats", "loadgen", "loadgen/*", "lab/scenario"}},
		{pkg: "lab/cluster/agent", kubernetes: true, imports: []string{"lab/cluster/backoff", "lab/cluster/podstatus",
			"lab/cluster", "lab/cluster/agent/client", "lab/event", "lab/cluster/workloads",
			"lab/cluster/gate", "lab/guardrail", "lab/cluster/names", "lab/mesh", "lab/mesh/k8s",
			"loadgen/traceheader", "lab/scenario"}},
		{pkg: "lab/cluster/kind/e2e"}, // tests only, which may import everything
		{pkg: "lab/cluster/kind/*", kubernetes: true, imports: []string{"lab/cluster/podstatus", "lab/cluster/backoff",
			"lab/input", "lab/cluster/kind/*", "lab/cluster/names", "lab/event", "manifests"}},
		{pkg: "lab/cluster/kind", kubernetes: true, imports: []string{"lab/cluster/podstatus", "lab/cluster",
			"lab/cluster/kind/*", "lab/cluster/names",
			"lab/cluster/agent/client", "lab/event", "lab/guardrail", "lab/guardrail/loadtester", "lab/mesh",
			"lab/mesh/k8s",
			"lab/cluster/workloads", "lab/scenario", "scenarios", "manifests"}},
		{pkg: "lab/run/conformance", kubernetes: true,
			imports: []string{"lab/cluster", "lab/run", "lab/service", "lab/event", "lab/guardrail",
				"lab/verdict/timeline", "lab/scenario"}},
		{pkg: "lab/preflight", kubernetes: true, imports: []string{"lab/cluster/podstatus", "lab/cluster/kind/*",
			"lab/cluster/names", "lab/event", "lab/format", "lab/mesh", "manifests"}},

		// The test mesh stands in for Linkerd in the e2e suite.
		{pkg: "lab/cluster/testmesh/wire", imports: []string{"lab/mesh"}},
		{pkg: "lab/cluster/testmesh/ports"},
		{pkg: "lab/cluster/testmesh", imports: []string{"lab/cluster/kind/bundle"}},
		{pkg: "lab/cluster/testmesh/intercept", imports: []string{"lab/cluster/testmesh/ports"}},
		{pkg: "lab/cluster/testmesh/proxy", imports: []string{"lab/cluster/backoff", "lab/mesh",
			"lab/cluster/testmesh/ports", "lab/cluster/testmesh/wire",
			"lab/cluster/names", "loadgen/rng", "loadgen/traceheader"}},
		{pkg: "lab/cluster/testmesh/control", kubernetes: true,
			imports: []string{"lab/cluster/podstatus", "lab/cluster/backoff", "lab/mesh", "lab/mesh/k8s",
				"lab/guardrail",
				"lab/cluster/testmesh/wire", "lab/cluster/names"}},

		// Runs and their folders.
		{pkg: "lab/run/folder", imports: []string{"lab/input/digest", "lab/event", "lab/input"}},
		{pkg: "lab/run/worker", imports: []string{"lab/run", "lab/cluster", "lab/event", "lab/format", "lab/guardrail",
			"lab/scenario"}},
		{pkg: "lab/run/runtest", imports: []string{"lab/run", "lab/cluster", "lab/event", "lab/guardrail",
			"lab/scenario", "scenarios"}},
		{pkg: "lab/run", imports: []string{"lab/cluster", "lab/event", "lab/guardrail", "lab/scenario"}},

		// What happened, and what it is worth: pure functions of recorded events.
		{pkg: "lab/verdict/objective", imports: []string{"lab/input/spelling", "loadgen", "loadgen/results",
			"lab/format", "lab/verdict/stats"}},
		{pkg: "lab/verdict/score", imports: []string{"lab/verdict/stats", "lab/verdict/timeline", "lab/event",
			"lab/guardrail/experiment", "lab/format", "lab/guardrail/promeval", "lab/scenario"}},
		{pkg: "lab/verdict/*", imports: []string{"lab/verdict/timeline", "lab/event", "lab/format"}},

		// Load tests, and the services of a scenario as real servers.
		{pkg: "lab/cluster/deployment", imports: []string{"lab/cluster/agent/client", "lab/input", "lab/scenario",
			"lab/scenario/services",
			"lab/service", "lab/service/server", "loadgen"}},
		{pkg: "lab/loadtest", imports: []string{"lab/cluster/sim", "lab/cluster/trafficstats", "lab/event",
			"lab/format", "lab/input", "lab/run/trial", "lab/scenario",
			"lab/service", "lab/cluster/deployment", "lab/verdict/objective", "loadgen", "loadgen/*"}},

		// Views.
		{pkg: "lab/report/decision", imports: []string{"lab/event", "lab/format", "lab/report/markdown",
			"lab/report/model", "lab/verdict/score", "lab/verdict/timeline"}},
		{pkg: "lab/report/load", imports: []string{"loadgen/results", "lab/format", "lab/service",
			"lab/verdict/objective", "lab/verdict/stats", "lab/report/junit", "lab/report/markdown"}},
		{pkg: "lab/report", imports: views("lab/report/*")},
		{pkg: "lab/report/*", imports: views("lab/report/*")},
		{pkg: "tui", imports: views("tui/*", "lab/report")},
		{pkg: "tui/*", imports: views("tui/*", "lab/teaching/progress", "lab/teaching/quiz", "lab/scenario/quizexpr",
			"lab/report/model")},

		{pkg: "cmd/internal/cli", imports: []string{"lab/input"}},
		{pkg: "cmd/internal/podcmd", imports: []string{"cmd/internal/cli", "lab/cluster/agent", "lab/cluster/agent/*",
			"lab/cluster/names",
			"lab/input", "lab/scenario", "lab/service", "lab/cluster/deployment", "lab/service/server", "loadgen"}},
		{pkg: "cmd/coalmine-agent", imports: []string{"cmd/internal/cli", "cmd/internal/podcmd", "lab/input",
			"lab/scenario"}},
		{pkg: "cmd/testmesh", imports: []string{"lab/cluster/testmesh", "lab/cluster/testmesh/*",
			"lab/cluster/kind/bundle",
			"lab/cluster/kind/image", "lab/cluster/names", "manifests"}},
		// Trials and what they are worth: the verbs rest on these.
		{pkg: "lab/run/trial", imports: []string{"lab/input/digest", "lab/input", "lab/input/spelling", "lab/run",
			"lab/run/folder", "lab/cluster",
			"lab/event", "lab/guardrail", "lab/guardrail/source", "lab/scenario",
			"lab/verdict/score", "lab/verdict/timeline", "scenarios"}},
		{pkg: "lab/run/result", imports: []string{"lab/input/digest", "lab/format", "lab/input", "scenarios", "lab/run",
			"lab/run/folder", "lab/event", "lab/scenario", "lab/report", "lab/report/model",
			"lab/verdict/score", "lab/verdict/timeline"}},

		{pkg: "lab/run/compare", imports: []string{"lab/event", "lab/format", "lab/input", "lab/run/result",
			"lab/verdict/score", "lab/verdict/timeline"}},
		{pkg: "lab/teaching/quiz/quiztest", imports: []string{"lab/format", "lab/scenario"}},
		{pkg: "lab/teaching/quiz", imports: []string{"lab/event", "lab/format", "lab/input", "lab/scenario/quizexpr",
			"lab/scenario",
			"lab/verdict/pager", "lab/verdict/score", "lab/verdict/timeline"}},
		{pkg: "lab/scenario/quizexpr"},
		{pkg: "lab/teaching/lesson/coursegen", imports: []string{"lab/format", "lab/teaching/lesson",
			"lab/teaching/quiz", "lab/scenario",
			"lab/verdict/pager", "scenarios", "scenarios/lessons"}},
		{pkg: "lab/teaching/lesson", imports: []string{"lab/input/digest", "lab/event", "lab/format", "lab/input",
			"lab/teaching/quiz",
			"lab/scenario/quizexpr", "lab/run/result", "lab/scenario", "lab/verdict/pager", "lab/verdict/score",
			"lab/verdict/stats", "lab/verdict/timeline", "scenarios"}},
		{pkg: "lab/run/evidence", imports: []string{"lab/input", "lab/report/decision", "lab/report/model"}},
		{pkg: "lab/run/verify", imports: []string{"lab/cluster", "lab/event", "lab/guardrail", "lab/input", "lab/run",
			"lab/run/folder", "lab/run/result", "lab/run/trial",
			"lab/scenario", "lab/verdict/score", "scenarios"}},

		{pkg: "lab/cluster/flux", kubernetes: true, imports: []string{"lab/cluster/kind/certs", "lab/cluster/names",
			"manifests"}},

		// Writing scenarios.
		{pkg: "lab/teaching/authoring", imports: []string{"lab/cluster", "lab/format", "lab/guardrail",
			"lab/guardrail/lint",
			"lab/input", "lab/run", "lab/run/folder", "lab/run/trial", "lab/scenario", "lab/verdict/score",
			"lab/verdict/stats"}},

		// Grading a class.
		{pkg: "lab/teaching/grade/similar"},
		{pkg: "lab/teaching/grade/indexedjob", kubernetes: true, imports: []string{"lab/cluster/podstatus",
			"lab/input"}},
		{pkg: "lab/teaching/grade/submission", imports: []string{"lab/format", "lab/guardrail", "lab/input"}},
		{pkg: "lab/teaching/grade/gradebook", imports: []string{"lab/input"}},
		{pkg: "lab/teaching/grade/export", imports: []string{"lab/format", "lab/teaching/grade"}},
		{pkg: "lab/teaching/grade/overview", imports: []string{"lab/format", "lab/teaching/grade",
			"lab/teaching/grade/similar"}},
		{pkg: "lab/teaching/grade/bundle", imports: []string{"lab/input", "lab/run/trial", "lab/scenario"}},
		{pkg: "lab/teaching/grade/step", imports: []string{"lab/cluster", "lab/event", "lab/format", "lab/guardrail",
			"lab/input", "lab/run", "lab/run/trial", "lab/verdict/score", "lab/verdict/timeline"}},
		{pkg: "lab/teaching/grade", imports: []string{"lab/cluster", "lab/input/digest", "lab/event", "lab/format",
			"lab/teaching/grade/similar", "lab/teaching/grade/submission",
			"lab/guardrail", "lab/guardrail/lint", "lab/guardrail/source", "lab/input",
			"lab/report", "lab/report/model", "lab/run",
			"lab/run/folder", "lab/run/result", "lab/run/trial", "lab/run/worker", "lab/scenario",
			"lab/verdict/score", "lab/verdict/timeline"}},

		// The command ties everything together.
		{pkg: "cmd/coalmine", imports: []string{"*", "*/*", "*/*/*", "*/*/*/*"}},
	}
}

// views returns what every view may import, and more.
func views(more ...string) []string {
	return append([]string{"lab/verdict/score", "lab/verdict/timeline", "lab/verdict/series", "lab/verdict/narrative",
		"lab/verdict/timelinetest",
		"lab/event", "lab/format", "lab/format/palette", "lab/scenario", "lab/input/yamlpos"}, more...)
}

// nevers are packages that must not reach others over any number of imports.
func nevers() []struct{ pkg, never string } {
	return []struct{ pkg, never string }{
		{"tui", "lab/cluster"},
		{"lab/report", "lab/cluster"},
		{"lab/verdict/score", "lab/cluster"},
		{"lab/verdict/timeline", "lab/scenario"},
		{"lab/scenario", "lab/guardrail"}, // and with it Kubernetes
		{"loadgen", "lab/event"},
		{"cmd/coalmine-agent", "lab/cluster/sim"}, // the image is for pods
		{"cmd/coalmine-agent", "lab/cluster/kind"},
		{"cmd/coalmine", "lab/cluster/testmesh"},
	}
}

// isKubernetes tells packages of Kubernetes and Flagger by their path. sigs.k8s.io/yaml is a YAML
// library.
var isKubernetes = []string{"k8s.io/", "sigs.k8s.io/gateway-api", "sigs.k8s.io/kind", "helm.sh/",
	"github.com/fluxcd/"}
