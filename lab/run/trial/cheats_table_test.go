package trial_test

import "coalmine/lab/verdict/score"

// cheats are the rows of TestCheats by scenario. A row without a comment is of the kind of the one
// above it, or its name says what it does.
func cheats() map[string][]cheat {
	const missed, rolledBack, hurtUsers, incomplete = score.OutcomeMissed, score.OutcomeRolledBack,
		score.OutcomeHurtUsers, score.OutcomeIncomplete
	return map[string][]cheat{
		"full-rollout": {
			{set: "version-label", outcome: missed, says: "was promoted", lint: "reads-version"},
			// A person who never says yes is no guardrail: nothing was released.
			{set: "approve-never", outcome: missed, says: "100 are needed"},
			// Users are hurt at the last step while the rollout waits.
			{set: "approve-promotion-never", outcome: missed, says: "never rolled back", lint: "waiting-gate",
				long: true},
			// A gate is evidence; something has to be measured before a promotion.
			{set: "cohort-gate", outcome: rolledBack, says: "0 checks with a metric"},
			// The same with a metric that cannot fail.
			{set: "gate-and-idle-metric", outcome: rolledBack, says: "fails when the canary does"},
			// Steps of one percent for longer than the scenario lasts.
			{set: "crawl", outcome: missed, says: "never rolled back", lint: "short-horizon"},
			// A policy without an authorization keeps everyone off the canary.
			{set: "deny-all-canary", outcome: rolledBack, lint: "server-misses-primary"},
			// The same for the primary: production is down, and the metrics are fine.
			{set: "deny-everything-primary-too", outcome: hurtUsers, says: "your guardrails made"},
			// A healthy version has errors too.
			{set: "first-error", outcome: rolledBack, lint: "fails-open", long: true},
			// A route that keeps the users of the fault away from the canary.
			{set: "merchants-never-try", outcome: missed, says: "was promoted", long: true},
			// A check of a constant.
			{set: "no-selector-const", outcome: missed, says: "was promoted", lint: "no-series"},
			// A handful of requests decides.
			{set: "one-strike-99.5-10s", outcome: rolledBack, lint: "one-strike"},
			// Stop at a weight, whatever was released.
			{set: "reads-flaggers-weight", outcome: rolledBack},
			// A route to a service that does not have the path: 404.
			{set: "reports-to-frontend", outcome: missed},
			// A route without a backend.
			{set: "reports-without-backend", outcome: missed, long: true},
			// A route to a Service that does not exist.
			{set: "route-reports-nowhere", outcome: missed, says: "was promoted"},
			{set: "route-reports-nowhere-nometric", outcome: missed, long: true},
			// Reports never reach the canary.
			{set: "route-reports-primary", outcome: missed, says: "was promoted"},
			{set: "route-reports-primary-nometric", outcome: missed, says: "was promoted",
				lint: "nothing-can-fail", long: true},
			{set: "skipAnalysis", outcome: missed, says: "was promoted", lint: "skip-analysis"},
			// Forty percent, then everyone: no check has seen the load between.
			{set: "slow-tiny-weights-99.9", outcome: incomplete, says: "up to 40 % of the traffic (50 % needed)",
				lint: "one-strike"},
			{set: "slow-nothing-fails", says: "not greater than the previous weight"},
			// Who stops everything has caught nothing.
			{set: "stop-everything", outcome: rolledBack},
			// The fault needs load, which five percent do not have.
			{set: "stops-at-five", outcome: missed, says: "was promoted", lint: "weight-jump"},
			{set: "suspend", outcome: missed, says: "never became ready", lint: "suspended"},
			// A check of the clock.
			{set: "time-check", outcome: missed, says: "was promoted", lint: "no-series", long: true},
			// Retries land on the old version.
			{set: "retries-mask", outcome: missed, says: "was promoted", long: true},
			// A timeout that healthy reports do not meet.
			{set: "report-timeout", outcome: hurtUsers, says: "your guardrails made"},
			// An experiment with one user.
			{set: "smoke-route", outcome: missed, says: "was promoted", long: true},
			// Only the requests that do not fail are measured.
			{set: "measures-items-only", outcome: missed, says: "was promoted"},
		},
		"hidden-segment": {
			{set: "version-label", outcome: missed, says: "was promoted", lint: "reads-version"},
			// One failure in a small segment is chance: another seed's healthy release has it.
			{set: "any-5xx-count", outcome: rolledBack, lint: "fails-open", seed: 2},
			// An average finds the segment only because its steps and its threshold were fitted to this fault.
			{set: "avg-99.5-20pc", outcome: incomplete, says: "spared most of the harm",
				lint: "weight-jump", seed: 2},
			// Halfway between the two versions, which is known only to those who have seen both.
			{set: "halfway-99.5", outcome: incomplete, says: "is essential", seed: 2},
			// A route that keeps the failing requests away from the canary.
			{set: "checkout-never-tries", outcome: missed, says: "was promoted"},
			{set: "cohort-gate", outcome: rolledBack, says: "0 checks with a metric", long: true},
			// The gate alone found the segment.
			{set: "gate-and-idle-metric", outcome: rolledBack, says: "fails when the canary does"},
			{set: "gate-by-noise", outcome: rolledBack, says: "fails when the canary does",
				lint: "one-strike", long: true},
			{set: "mirror", outcome: missed, says: "the canary answered 0 requests"},
			// A route that keeps the segment away from the canary.
			{set: "premium-never-try", outcome: missed, says: "was promoted", long: true},
			// The right query for the wrong pods.
			{set: "primary-measured", outcome: missed, says: "was promoted"},
			{set: "stop-everything", outcome: rolledBack, long: true},
			// The gate alone found the segment; the metric counts requests.
			{set: "volume-and-gate", outcome: rolledBack, says: "fails when the canary does"},
			{set: "clock-and-gate", outcome: rolledBack, says: "fails when the canary does", long: true},
			// A webhook of type rollback rolls back when the gate is content.
			{set: "rollback-hook", outcome: missed, says: "was promoted", lint: "rollback-on-yes", long: true},
			// As good as the old version within a percent, which the segment is less than.
			{set: "no-worse-than-primary", outcome: missed, says: "was promoted", long: true},
		},
		"tail-latency": {
			// Over all routes: what stops the fault stops the days with many exports.
			{set: "avg-p995", outcome: rolledBack},
			{set: "big-bucket", outcome: rolledBack, long: true},
			{set: "mean", outcome: rolledBack},
			// Slow answers are no errors.
			{set: "cohort-gate-for-latency", outcome: missed, says: "was promoted"},
			// A route that keeps searches away from the canary, and a query that does not notice.
			{set: "search-never-tries", outcome: missed, says: "was promoted"},
			{set: "stop-everything", outcome: rolledBack, long: true},
			// Slow searches are cut and repeated, and so are healthy exports.
			{set: "timeout-and-retry", outcome: rolledBack},
			// The right query with its bound on the wrong side.
			{set: "searches-cannot-fail", outcome: missed, says: "was promoted", long: true},
			// The slowest search of all, which a healthy version has too.
			{set: "worst-search-ever", outcome: rolledBack, long: true},
		},
		"silent-metrics": {
			{set: "version-label", outcome: missed, says: "was promoted", lint: "reads-version"},
			// The gate measured, the metric did not.
			{set: "gate-and-idle-metric", outcome: rolledBack, says: "fails when the canary does"},
			// The right query for another service.
			{set: "measures-the-backend", outcome: missed, says: "was promoted"},
			// The right query for the old version.
			{set: "measures-the-primary", outcome: missed, says: "was promoted", long: true},
			// What nobody exports is always absent.
			{set: "nothing-is-absent", outcome: missed, says: "was promoted", lint: "fails-open"},
			{set: "stop-everything", outcome: rolledBack, long: true},
			// The gate measured; the metric counts requests.
			{set: "gate-and-volume", outcome: rolledBack, says: "fails when the canary does"},
			{set: "clock-and-gate", outcome: rolledBack, says: "fails when the canary does", long: true},
			{set: "success-max", outcome: missed, says: "was promoted", long: true},
			// Errors are fast.
			{set: "latency-alone", outcome: missed, says: "was promoted", long: true},
		},
		"ab-bounded": {
			{set: "version-label", outcome: missed, says: "was promoted", lint: "reads-version"},
			// Start tomorrow, end never.
			{set: "bad-date", outcome: incomplete, says: "write the name"},
			// Annotations of spaces.
			{set: "blank", outcome: incomplete, says: "has no annotation", lint: "unowned-experiment"},
			{set: "end-before-start", outcome: hurtUsers, says: "made 220 requests bad", long: true},
			{set: "hundred-years", outcome: hurtUsers, says: "made 220 requests bad", long: true},
			{set: "rfc3339", outcome: hurtUsers, says: "made 220 requests bad", long: true},
			{set: "one-iter-long", outcome: rolledBack, says: "was rolled back", lint: "one-strike", long: true},
			// One look at the canary is no experiment.
			{set: "one-iteration", outcome: rolledBack, says: "5 are needed"},
			// Everyone is in the experiment.
			{set: "everyone-and-a-gate", outcome: incomplete, says: "0 % expected"},
			{set: "everyone-with-a-cookie", outcome: missed, says: "was promoted", long: true},
			// A route takes the failing requests out of the experiment.
			{set: "insiders-without-checkout", outcome: missed, says: "was promoted"},
			// A match that no request has.
			{set: "nobody", outcome: missed, says: "300 are needed"},
			// A route to the canary that stands before there is one.
			{set: "own-route-for-insiders", outcome: hurtUsers, says: "your guardrails made"},
			{set: "stop-everything", outcome: rolledBack, long: true},
			// The experiment leaves out those whom it is about.
			{set: "testers-only", outcome: missed, says: "was promoted"},
			// The gate alone found the fault.
			{set: "gate-and-primary", outcome: rolledBack, says: "fails when the canary does"},
			{set: "gate-and-volume", outcome: rolledBack, says: "fails when the canary does", long: true},
			// As many users as the experiment has, but others.
			{set: "weights-of-seven", outcome: missed, says: "was promoted", long: true},
			// Those whom the fault does not touch are the experiment.
			{set: "testers-alone", outcome: missed, says: "was promoted", long: true},
		},
		"cut-off-cohort": {
			{set: "constant", outcome: missed, says: "was promoted", lint: "no-series"},
			// The way was tried, and nothing was measured.
			{set: "drill-and-constant", outcome: missed, says: "was promoted", lint: "no-series", long: true},
			// Whom no pod answers is noticed, after the fact, in healthy releases too.
			{set: "detect-only", outcome: hurtUsers},
			// A match that no request has.
			{set: "nobody", outcome: missed, says: "was promoted"},
			{set: "stop-everything", outcome: rolledBack},
			// The gate alone found the fault; the metric is the old version's.
			{set: "drill-and-gate", outcome: rolledBack, says: "fails when the canary does"},
			// A rollout in steps is no test of the beta.
			{set: "weights-instead", outcome: incomplete, says: "no one else is essential"},
			{set: "weights-strict", outcome: rolledBack, says: "4 are needed", long: true},
			// The way is tried when users have been sent on it.
			{set: "drill-after", outcome: hurtUsers, says: "your guardrails made"},
			// A retry finds nobody either.
			{set: "retry-covers", outcome: hurtUsers, says: "your guardrails made", long: true},
			// The right query with its bound on the wrong side.
			{set: "success-max", outcome: missed, says: "was promoted", long: true},
			// A route that keeps the beta away from the canary.
			{set: "own-route", outcome: missed, says: "starving the canary", long: true},
			// Five minutes of harm before the first check.
			{set: "sleepy", outcome: missed, says: "never rolled back", lint: "slow-rollback", long: true},
			// An experiment that nobody is in cuts nobody off.
			{set: "matches-nobody", outcome: missed, says: "was promoted", long: true},
			// The solution with such a match, for another namespace: nobody may be put in its place.
			{set: "nobody-elsewhere", outcome: missed, says: "starving the canary"},
		},
		"expired-issuer": {
			{set: "constant", outcome: missed, says: "was promoted", lint: "no-series"},
			// The certificates were looked at when users had been sent to them.
			{set: "gate-after-traffic", outcome: incomplete, says: "not checked before canary traffic"},
			// Policy is another question.
			{set: "policy-gate", outcome: rolledBack},
			// The gate alone, and a metric that cannot fail.
			{set: "gate-and-constant", outcome: rolledBack, long: true},
			{set: "stop-everything", outcome: rolledBack},
			// The gate, and a metric of the old version.
			{set: "gate-and-primary-metric", outcome: rolledBack, says: "fails when the canary does"},
			// Metrics that cannot fail.
			{set: "gate-and-success-max", outcome: rolledBack, says: "fails when the canary does", long: true},
			{set: "gate-and-count", outcome: rolledBack, says: "fails when the canary does"},
			{set: "gate-times-zero", outcome: rolledBack, says: "fails when the canary does", long: true},
			// Users meet the certificates before the check.
			{set: "certificates-only", outcome: incomplete, says: "not checked before canary traffic"},
			// Certificates of others.
			{set: "primary-certificates", outcome: missed, says: "was promoted", long: true},
			{set: "edge-certificates", outcome: missed, says: "was promoted", long: true},
			// The gate is asked when the analysis is over.
			{set: "confirm-promotion-gate", outcome: missed, says: "never rolled back", lint: "waiting-gate",
				long: true},
			{set: "rollback-hook-gate", outcome: missed, says: "was promoted", lint: "rollback-on-yes", long: true},
			{set: "gate-one-percent", outcome: rolledBack, says: "300 are needed", long: true},
			// The longest of all certificates is the primary's.
			{set: "certificate-of-primary", outcome: missed, says: "was promoted", lint: "matches-primary", long: true},
		},
		"killed-probes": {
			{set: "constant", outcome: missed, lint: "no-series"},
			// The release ends soon, and production has lost its pods before.
			{set: "deadline-only", outcome: missed, says: "starving the canary"},
			// A route for the probes of the chart's Server: then it works here, and is promoted.
			{set: "mends-the-chart", outcome: missed, says: "was promoted"},
			{set: "measures-the-primary", outcome: missed, long: true},
			{set: "stop-everything", outcome: rolledBack},
			// The policy is right; what is measured is the old version, or nothing.
			{set: "pin-and-primary-metric", outcome: rolledBack, says: "fails when the canary does"},
			{set: "pin-and-count", outcome: rolledBack, says: "fails when the canary does", long: true},
			{set: "pin-and-success-max", outcome: rolledBack, says: "fails when the canary does", long: true},
			{set: "pin-absent", outcome: rolledBack, says: "fails when the canary does", long: true},
			{set: "pin-without-metric", outcome: rolledBack, lint: "nothing-can-fail", long: true},
			// A policy that keeps users off production.
			{set: "deny-all-pin", outcome: rolledBack, long: true},
			// A policy for a port on which no pod listens.
			{set: "other-port", outcome: missed, says: "starving the canary", long: true},
			// The chart overwrites a Server of its name.
			{set: "same-name-as-the-charts", outcome: missed, says: "starving the canary", long: true},
			// The new policy is in force nowhere, and so the gate finds nothing.
			{set: "both-and-policy-gate", outcome: missed, says: "was promoted"},
			{set: "weight-one", outcome: rolledBack, says: "300 are needed", long: true},
			// A policy that refuses nothing is in force for the canary as well.
			{set: "audit-for-all", outcome: missed, says: "was promoted", long: true},
		},
		"masked-canary": {
			{set: "constant", outcome: missed, says: "was promoted", lint: "no-series"},
			// What the pods behind the primary answered.
			{set: "measures-the-primary", outcome: missed, says: "was promoted"},
			// Without retries users meet the canary's failures, too few of them to notice at a low weight.
			{set: "without-retries", outcome: incomplete, says: "is essential"},
			// Halfway between the two versions, which is known only to those who have seen both.
			{set: "halfway", outcome: incomplete, says: "is essential", long: true},
			// The gate counts what users got, and the metric is the primary's.
			{set: "cohort-gate", outcome: rolledBack, says: "fails when the canary does", long: true},
			{set: "stop-everything", outcome: rolledBack},
			// A metric that fails twice by the clock, and a gate that does the rest.
			{set: "clock-and-gate", outcome: rolledBack, says: "fails when the canary does"},
			// The right query with its bound on the wrong side.
			{set: "success-max", outcome: missed, says: "was promoted"},
			{set: "absent-failures", outcome: missed, says: "was promoted", lint: "fails-open", long: true},
			// A route that keeps everyone away from the canary.
			{set: "members-bypass", outcome: missed, says: "starving the canary", long: true},
			// Ten retries at one percent.
			{set: "more-retries", outcome: missed, says: "starving the canary", long: true},
			// Clients that avoid pods which fail.
			{set: "circuit-breaker", outcome: missed, says: "was promoted", long: true},
			// Retries that stop are noticed; those that the fault causes are not.
			{set: "too-few-retries", outcome: missed, says: "was promoted", long: true},
			// A quick error is fast.
			{set: "p99", outcome: missed, says: "was promoted", long: true},
			{set: "crawl", outcome: missed, says: "requests (300 are needed", lint: "slow-rollback", long: true},
			// How many retries there are depends on the weight and on everyone.
			{set: "count-of-retries", outcome: rolledBack, says: "fails when the canary does", lint: "fails-open",
				long: true},
		},
		"mtls-first": {
			// Gates prove a policy before the first user; something has to look at what it does after.
			{set: "gates-only-with-policy", outcome: rolledBack, says: "promoted after 0 checks"},
			{set: "version+gates+policy", outcome: rolledBack, says: "promoted after 0 checks", lint: "reads-version"},
			{set: "another-port", outcome: rolledBack, long: true},
			// A wildcard admits every client that is meshed.
			{set: "any-meshed-client", outcome: rolledBack},
			// A network of everything admits clients without identity.
			{set: "any-network", outcome: rolledBack, long: true},
			{set: "canary-only", outcome: rolledBack, lint: "server-misses-primary", long: true},
			// The right metric, but nothing was proved before the first user.
			{set: "denials-without-gates", outcome: incomplete, says: "not checked before canary traffic"},
			{set: "drill-and-policy-of-another", outcome: rolledBack, long: true},
			// The right release is refused as well.
			{set: "edge-only", outcome: rolledBack},
			{set: "gates-after-traffic", outcome: rolledBack, long: true},
			// The gates are asked when everyone has the new version.
			{set: "gates-before-promotion", outcome: missed, says: "never rolled back", lint: "waiting-gate"},
			// Gates without a policy of one's own.
			{set: "gates-no-policy", outcome: rolledBack},
			// A Server that admits everyone.
			{set: "open-server", outcome: rolledBack},
			// Another client is locked out of the primary.
			{set: "primary-denied-for-mobile", outcome: missed, says: "the faulty version was promoted"},
			{set: "primary-only", outcome: rolledBack, long: true},
			// A metric that reads the denials and makes nothing of them.
			{set: "times-zero", outcome: rolledBack, says: "promoted after 0 checks"},
			{set: "stop-everything", outcome: rolledBack, long: true},
			{set: "version-label", outcome: rolledBack, says: "promoted after 0 checks", lint: "reads-version"},
			// The denials of the old version.
			{set: "primary-denials", outcome: rolledBack, says: "fails when the canary does"},
			// The right query with a bound that no value passes.
			{set: "denials-min", outcome: rolledBack, says: "fails when the canary does", long: true},
			{set: "skip-analysis", outcome: missed, says: "was promoted", lint: "skip-analysis", long: true},
			// Gates and metrics, and no policy but the default of the namespace.
			{set: "namespace-opens", outcome: rolledBack, long: true},
		},
		"retry-storm": {
			{set: "constant", outcome: missed, says: "was promoted", lint: "no-series", long: true},
			// Who stops everything has caught nothing.
			{set: "stop-everything", outcome: rolledBack},
			// A release that gives up early is faster, in no bucket that anybody sees.
			{set: "too-fast-p99", outcome: missed, says: "was promoted"},
			// The right ratio with its bound on the wrong side.
			{set: "below-one", outcome: missed, says: "was promoted", long: true},
			// The right ratio of the wrong pods.
			{set: "primary-attempts", outcome: missed, says: "was promoted"},
			// What nobody exports is always absent.
			{set: "absent", outcome: missed, says: "was promoted", lint: "fails-open", long: true},
			{set: "times-zero", outcome: missed, says: "was promoted", long: true},
			// More retries: the storm comes sooner.
			{set: "mesh-retries", outcome: incomplete, says: "of the harm got through"},
			// A timeout takes slow orders from users of the old version, too.
			{set: "timeout", outcome: hurtUsers, says: "your guardrails made"},
			{set: "timeout-response", outcome: hurtUsers, says: "your guardrails made", long: true},
			// The stock service refuses what is too much: users are spared, and the release is seen at half
			// of the traffic.
			{set: "rate-limit", outcome: incomplete, says: "never met the faulty release is essential"},
			// What users got, when they got it.
			{set: "edge-measures", outcome: incomplete, says: "of the harm got through"},
			// The service that is asked notices when it is full.
			{set: "stock-p99", outcome: incomplete, says: "of the harm got through", long: true},
			// The gate counts what buyers got.
			{set: "cohort-gate", outcome: missed, both: true, says: "0 checks of a metric failed", long: true},
			{set: "skip-analysis", outcome: missed, says: "was promoted", lint: "skip-analysis", long: true},
			// A route that keeps orders away from the canary.
			{set: "orders-never-try", outcome: missed, says: "starving the canary", long: true},
			// A policy without an authorization keeps everyone off the canary.
			{set: "deny-canary", outcome: rolledBack, lint: "server-misses-primary", long: true},
			// More pods for the service that is asked, and a check that does not notice.
			{set: "hpa-stock", outcome: missed, says: "was promoted"},
			// A handful of orders decides.
			{set: "one-strike", outcome: missed, says: "starving the canary", lint: "one-strike", long: true},
			{set: "crawl", outcome: missed, says: "never rolled back", lint: "short-horizon", long: true},
			{set: "approve-never", outcome: rolledBack, lint: "waiting-gate", long: true},
			// What everyone asks for is seen when the storm has come.
			{set: "attempts-of-all", outcome: incomplete, says: "of the harm got through", long: true},
		},
	}
}
