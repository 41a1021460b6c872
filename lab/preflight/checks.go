package preflight

import (
	"fmt"
	"slices"
	"time"

	"coalmine/lab/cluster/kind/kindcluster"
	"coalmine/lab/cluster/names"
)

// Groups of checks, in their order.
const (
	groupDocker     = "docker"
	groupCluster    = "cluster"
	groupPrometheus = "prometheus"
	groupTrust      = "certificates"
	groupMesh       = "mesh"
	groupPolicy     = "policy"
	groupFlagger    = "flagger"
)

// Limits.
const (
	// renewBefore is the remaining validity below which an issuer should be renewed.
	renewBefore = 60 * 24 * time.Hour
	// maxScrapeAge is the maximum age of the newest sample: three scrape intervals.
	maxScrapeAge = 30 * time.Second
)

// Checks that many others need.
const (
	apiNeeded     = "api-answers"
	meshNeeded    = "brought-up"
	queriesNeeded = "prometheus-answers"
)

// Checks returns all checks in order.
func Checks() []Check {
	return slices.Concat(clusterChecks(), prometheusChecks(), meshChecks(), deliveryChecks())
}

// clusterChecks check Docker and the cluster itself.
func clusterChecks() []Check {
	return []Check{
		{Group: groupDocker, Name: "docker-answers", Title: "Docker responds",
			Hint: "start Docker and give this user access to it (docker info must work)", Run: dockerAnswers},
		{Group: groupDocker, Name: "memory", Title: "Docker has enough memory", Needs: []string{"docker-answers"},
			Hint: fmt.Sprintf("give Docker %d GiB or more", kindcluster.MinMemory>>30), Run: memory},
		{Group: groupCluster, Name: "cluster-runs", Title: "the cluster's containers run",
			Needs: []string{"docker-answers"},
			Hint:  "coalmine up creates the cluster, or starts a stopped one", Run: clusterRuns},
		{Group: groupCluster, Name: "api-answers", Title: "the API server responds", Needs: []string{"cluster-runs"},
			Hint: "coalmine up repairs an incomplete cluster; coalmine down deletes it", Run: apiAnswers},
		{Group: groupCluster, Name: "nodes-ready", Title: "all nodes are ready", Needs: []string{apiNeeded},
			Hint: "kubectl describe node shows what a node waits for", Run: nodesReady},
		{Group: groupCluster, Name: "brought-up", Title: "the cluster is installed", Needs: []string{apiNeeded},
			Hint: "coalmine up continues an interrupted installation", Run: broughtUp},
		{Group: groupCluster, Name: "image", Title: "the cluster runs this coalmine", Needs: []string{meshNeeded},
			Hint: "coalmine up loads the image of the coalmine that runs it", Run: image},
		{Group: groupCluster, Name: "gateway-api", Title: "Gateway API CRDs exist in a version the mesh supports",
			Needs: []string{apiNeeded},
			Hint:  "coalmine up installs version 1.2.1", Run: gatewayAPI},
		{Group: groupCluster, Name: "pods-ready", Title: "coalmine's pods are ready", Needs: []string{meshNeeded},
			Hint: "kubectl describe pod shows what a pod waits for", Run: podsReady},
	}
}

// prometheusChecks check what guardrails query.
func prometheusChecks() []Check {
	return []Check{
		{Group: groupPrometheus, Name: "prometheus-answers", Title: "Prometheus responds", Needs: []string{meshNeeded},
			Hint: "kubectl --namespace " + names.VizNamespace + " get pods shows what it waits for",
			Run:  prometheusAnswers},
		{Group: groupPrometheus, Name: "proxies-scraped", Title: "the proxies' metrics are scraped",
			Needs: []string{queriesNeeded},
			Hint:  "see the targets of job linkerd-proxy in Prometheus", Run: proxiesScraped},
		{Group: groupPrometheus, Name: "linkerd-series", Title: "Prometheus has Linkerd's series",
			Needs: []string{queriesNeeded},
			Hint:  "send some requests: without traffic, proxies export none (and guardrails that query them fail)",
			Run:   linkerdSeries},
		{Group: groupPrometheus, Name: "app-series", Title: "Prometheus has the demo services' own series",
			Needs: []string{queriesNeeded},
			Hint: "send some requests: without traffic there are none; then see the targets of the services in " +
				"Prometheus", Run: appSeries},
	}
}

// meshChecks check identities and proxies.
func meshChecks() []Check {
	return []Check{
		{Group: groupTrust, Name: "trust-anchor", Title: "the trust anchor is valid", Needs: []string{meshNeeded},
			Hint: "recreate the cluster: coalmine down, coalmine up", Run: trustAnchor},
		{Group: groupTrust, Name: "issuer", Title: "the issuer is valid and signed by the anchor",
			Needs: []string{meshNeeded},
			Hint:  "recreate the cluster: coalmine down, coalmine up", Run: issuer},
		{Group: groupTrust, Name: "workload-certificates", Title: "no proxy's certificate is about to expire",
			Needs: []string{queriesNeeded},
			Hint:  "restart the pods; if that does not help, see the log of the identity service",
			Run:   workloadCertificates},
		{Group: groupMesh, Name: "control-plane", Title: "the control plane is ready", Needs: []string{meshNeeded},
			Hint: "kubectl --namespace " + names.MeshNamespace + " get pods shows what it waits for",
			Run:  controlPlane},
		{Group: groupMesh, Name: "injector", Title: "the injector's webhook exists and is trusted",
			Needs: []string{meshNeeded},
			Hint:  "coalmine up installs it", Run: injector},
		{Group: groupMesh, Name: "injection", Title: "pods of the demo services have a proxy",
			Needs: []string{meshNeeded},
			Hint:  "annotate the namespace with " + names.InjectAnnotation + "=enabled and restart the pods",
			Run:   injection},
		{Group: groupMesh, Name: "mtls", Title: "requests between the demo services use mTLS",
			Needs: []string{queriesNeeded},
			Hint:  "find the clients without a proxy: their requests have no identity", Run: mtls},
	}
}

// deliveryChecks check policy and Flagger.
func deliveryChecks() []Check {
	return []Check{
		{Group: groupPolicy, Name: "policy-crds", Title: "Linkerd's policy resources exist", Needs: []string{apiNeeded},
			Hint: "coalmine up installs them", Run: policyCRDs},
		{Group: groupPolicy, Name: "policies-hold", Title: "the references of every policy exist",
			Needs: []string{"policy-crds"},
			Hint:  "Linkerd ignores a whole AuthorizationPolicy if one of its references does not exist",
			Run:   policiesEnforced},
		{Group: groupPolicy, Name: "servers-primary", Title: "Servers cover the primary as well as the canary",
			Needs: []string{"policy-crds"},
			Hint:  "Flagger labels the primary's pods NAME-primary: select both", Run: serversPrimary},
		{Group: groupFlagger, Name: "flagger-ready", Title: "Flagger is ready", Needs: []string{apiNeeded},
			Hint: "kubectl --namespace " + names.FlaggerNamespace + " describe pods shows what it waits for",
			Run:  flaggerReady},
		{Group: groupFlagger, Name: "flagger-provider", Title: "Flagger uses the version of Gateway API that works " +
			"with Linkerd", Needs: []string{"flagger-ready"},
			Hint: "set meshProvider to gatewayapi:v1beta1: v1 waits for a status that Linkerd never writes",
			Run:  flaggerProvider},
		{Group: groupFlagger, Name: "canaries", Title: "no canary is stuck", Needs: []string{"flagger-ready"},
			Hint: "kubectl --namespace " + names.DevelopNamespace + " describe canary shows Flagger's events",
			Run:  canaries},
	}
}
