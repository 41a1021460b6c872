package conformance

import "slices"

// Checks returns all checks, from the form of the log to the meaning of its numbers.
func Checks() []Check { return slices.Concat(logChecks(), rolloutChecks(), guardrailChecks()) }

// logChecks returns the checks of the form of a log and of the time before the release.
func logChecks() []Check {
	all := Names()
	return []Check{
		{"order", "A log starts with run.started and ends with run.ended, completed. Events are numbered without " +
			"gaps and their times never decrease.", all, checkOrder},
		{"description", "run.started has the run spec and the cluster's own description.", all, checkDescription},
		{"stages", "Stages are in order, the baseline and the rollout last as long as the scenario says, and the " +
			"release is between them, once.", all, checkStages},
		{"seconds", "Seconds of traffic follow each other from the baseline to the end of the traffic without an " +
			"overlap, and without a gap but for those without responses. They are recorded soon after they end.", all,
			checkSeconds},
		{"totals", "The totals are those of the plan, and the seconds add up to them: no request is lost or " +
			"counted twice.", all, checkTotals},
		{"cells", "A cell has a route and a cohort of the scenario, is consistent, and has a latency for " +
			"each request.", all, checkCells},
		{"deploy", "Every service runs its baseline version with all its replicas before the baseline starts; under " +
			"guardrails the primary does and the canary has no pods.", all, checkDeploy},
		{"applied", "Each of the learner's objects is recorded with its source.",
			append(guardedRuns(), RunRefused), checkApplied},
		{"baseline", "Before the release all requests succeed, have the latency of the services' models, and are " +
			"answered by the primary alone (without guardrails, by the service).",
			append(guardedRuns(), RunStraight, RunRefused), checkBaseline},
	}
}

// rolloutChecks returns the checks of the course of a rollout, of routing and of harm.
func rolloutChecks() []Check {
	return []Check{
		{"phases", "The canary's statuses are a valid sequence of Flagger's phases; the weight follows the steps of " +
			"the analysis, and failed checks only rise until the rollout ends.", append(guardedRuns(), RunRefused),
			checkPhases},
		{"routes", "The weights of the routes are those of the canary's statuses.", []string{RunPromote, RunAbort},
			checkRoutes},
		{"weights", "While a route is in force the canary gets the share of requests of its weight.",
			[]string{RunPromote, RunAbort}, checkWeights},
		{"header", "An A/B test by header routes the requests with the header to the canary.", []string{RunMatch},
			checkHeader},
		{"cookie", "An A/B test by cookie routes the requests with the cookie to the canary, at any position among " +
			"other cookies.", []string{RunMatch}, checkCookie},
		{"outsiders", "An A/B test routes no other requests to the canary.", []string{RunMatch}, checkOutsiders},
		{"abort", "A faulty version is detected and rolled back after threshold failed checks; from then on only the " +
			"old version answers.", []string{RunAbort}, checkAbort},
		{"promote", "A healthy version is promoted; from then on the primary has it and answers everything.",
			[]string{RunPromote, RunMatch}, checkPromote},
		{"update", "Without guardrails a release is a rolling update, after which the new version answers " +
			"everything, and no request is lost during it.", []string{RunStraight}, checkUpdate},
		{"truth", "Only requests of the faulty version on the route of its fault are hit and harmed, in the share of " +
			"the fault.", Names(), checkTruth},
		{"denied-by-mesh", "Requests that a policy of the guardrails denies count as the mesh's answers, whichever " +
			"version's pods deny them, and not as hit by the release.", []string{RunAbort}, checkDeniedByMesh},
	}
}

// guardrailChecks returns the checks of what guardrails see and say.
func guardrailChecks() []Check {
	return []Check{
		{"metrics", "Prometheus has Linkerd's, the services' and Flagger's series with their names and labels, and " +
			"the values of the traffic.", []string{RunAbort}, checkMetrics},
		{"queries", "Each query of Flagger's is recorded with asker, check, PromQL, the bounds of the check and " +
			"the value.", guardedRuns(), checkQueries},
		{"policy", "Requests without the right identity get a 403 and count as denied, and no others; probes succeed.",
			[]string{RunPromote, RunAbort}, checkPolicy},
		{"gates", "Each gate answers its webhooks with a reason, and yes and no when it should.", []string{RunPromote},
			checkGates},
		{"closed-gates", "The gate policy says no where policy denies a client of the service, and where it admits " +
			"a stranger.",
			[]string{RunAbort, RunMatch}, checkClosedGates},
		{"refusals", "Every gate says no to a version that it is about, and says why; the version is rolled back " +
			"before it gets a request.", []string{RunRefused}, checkRefusals},
		{"limits", "Clients' proxies send failed requests again and give up slow ones, as the Canary's annotations " +
			"say, and a pod's proxy answers 404 to what no route of its Server matches.",
			[]string{RunLimits}, checkLimits},
		{"rollback-drill", "A rollback drill sends all its probes to the canary and back, and no user's request.",
			[]string{RunPromote}, checkDrill},
		{"alerts", "Flagger's alerts are recorded with provider, severity and text.", []string{RunPromote, RunAbort},
			checkAlerts},
		{"flagger", "What Flagger records on the Canary is recorded.", guardedRuns(), checkFlagger},
	}
}
