package conformance

// Checks are all promises, from the frame of a log to what its numbers mean.
func Checks() []Check {
	all := Names()
	return []Check{
		{"order", "A log begins with run.started and ends with run.ended, completed. Events are numbered without gaps and their times never " +
			"decrease.", all, checkOrder},
		{"description", "run.started says what was asked for, and what the cluster says of itself.", all, checkDescription},
		{"stages", "Stages come in their order, the baseline and the rollout last as long as the scenario says, and the release comes between " +
			"them, once.", all, checkStages},
		{"seconds", "Seconds of traffic follow each other from the baseline to the end of the traffic without an overlap, and without a gap but " +
			"for those in which nobody was answered. They come into the log soon after they end.", all, checkSeconds},
		{"totals", "The totals are what the plan offers, and the seconds add up to them: no request is lost or counted twice.", all, checkTotals},
		{"cells", "A cell is of a route and a cohort of the scenario, its parts fit its count, and each of its requests has a latency.", all, checkCells},
		{"deploy", "Every service runs its baseline version with all its replicas before the baseline begins; under guardrails the primary " +
			"does and the canary has no pods.", all, checkDeploy},
		{"applied", "Each of the learner's objects is told with the place where it stands.", guardedRuns(), checkApplied},
		{"baseline", "Before the release everything is well, takes the time that the services' models say, and is answered by the primary " +
			"alone (without guardrails, by the service).", all, checkBaseline},
		{"phases", "The canary's statuses walk a legal path of Flagger's phases; the weight goes up by the steps of the analysis, and failed " +
			"checks only rise until the rollout ends.", guardedRuns(), checkPhases},
		{"routes", "The weights of the routes are those of the canary's statuses.", []string{RunPromote, RunAbort}, checkRoutes},
		{"weights", "While a route is in force the canary gets the share of requests that its weight says.", []string{RunPromote, RunAbort}, checkWeights},
		{"header", "An A/B test by header sends those who have it to the canary.", []string{RunMatch}, checkHeader},
		{"cookie", "An A/B test by cookie sends those who have it to the canary, wherever it stands among others.", []string{RunMatch}, checkCookie},
		{"outsiders", "An A/B test sends nobody else to the canary.", []string{RunMatch}, checkOutsiders},
		{"abort", "A faulty version is noticed and rolled back after as many failed checks as the threshold says; from then on only the old " +
			"version answers.", []string{RunAbort}, checkAbort},
		{"promote", "A healthy version is promoted; from then on the primary has it and answers everything.", []string{RunPromote, RunMatch}, checkPromote},
		{"update", "Without guardrails a release is a rolling update, after which everything is answered by the new version, and nobody is turned " +
			"away during it.", []string{RunStraight}, checkUpdate},
		{"truth", "Hit and harmed are requests of the faulty version on the route of its fault alone, in the share of the fault.", all, checkTruth},
		{"turned-away", "Requests that the new version's pods turn away count as hit, and those that the old version's do not: that is how a " +
			"release under a wrong policy hurts.", []string{RunAbort}, checkDeniedHits},
		{"metrics", "Prometheus has Linkerd's, the services' and Flagger's series under their names and labels, with the values that the traffic " +
			"had.", []string{RunAbort}, checkMetrics},
		{"queries", "Each query of Flagger's is told with asker, check, PromQL, the bounds of the check and the value.", guardedRuns(), checkQueries},
		{"policy", "Who has not the right identity is answered 403 and counted as denied, and nobody else is; probes pass nevertheless.",
			[]string{RunPromote, RunAbort}, checkPolicy},
		{"gates", "Each gate answers its webhooks with a reason, and says yes and no when it should.", []string{RunPromote}, checkGates},
		{"rehearsal", "A drill of the rollback sends all its probes to the canary and back, and no user's request with them.", []string{RunPromote}, checkDrill},
		{"alerts", "Flagger's alerts are told with provider, severity and text.", []string{RunPromote, RunAbort}, checkAlerts},
		{"flagger", "What Flagger records on the Canary is told.", guardedRuns(), checkFlagger},
	}
}
