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

// What a lab needs.
const (
	// renewBefore is how long before its end an issuer ought to be renewed.
	renewBefore = 60 * 24 * time.Hour
	// maxScrapeAge is how old the newest sample may be: three scrapes.
	maxScrapeAge = 30 * time.Second
)

// What most checks need: the names of others.
const (
	apiNeeded     = "api-answers"
	meshNeeded    = "brought-up"
	queriesNeeded = "prometheus-answers"
)

// Checks are all checks, in their order.
func Checks() []Check {
	return slices.Concat(clusterChecks(), prometheusChecks(), meshChecks(), deliveryChecks())
}

// clusterChecks look at Docker and at the cluster itself.
func clusterChecks() []Check {
	return []Check{
		{Group: groupDocker, Name: "docker-answers", Title: "Docker answers",
			Hint: "start Docker, and let this user talk to it (docker info must work)", Run: dockerAnswers},
		{Group: groupDocker, Name: "memory", Title: "Docker has memory for a lab", Needs: []string{"docker-answers"},
			Hint: fmt.Sprintf("give Docker %d GiB or more", kindcluster.MinMemory>>30), Run: memory},
		{Group: groupCluster, Name: "cluster-runs", Title: "the cluster's containers run", Needs: []string{"docker-answers"},
			Hint: "coalmine up makes the cluster, and starts one that was stopped", Run: clusterRuns},
		{Group: groupCluster, Name: "api-answers", Title: "the API server answers", Needs: []string{"cluster-runs"},
			Hint: "coalmine up mends a half-made cluster; coalmine down removes it", Run: apiAnswers},
		{Group: groupCluster, Name: "nodes-ready", Title: "all nodes are ready", Needs: []string{apiNeeded},
			Hint: "kubectl describe node says what a node waits for", Run: nodesReady},
		{Group: groupCluster, Name: "brought-up", Title: "the lab was brought up", Needs: []string{apiNeeded},
			Hint: "coalmine up goes on where it was stopped", Run: broughtUp},
		{Group: groupCluster, Name: "image", Title: "the lab runs this coalmine", Needs: []string{meshNeeded},
			Hint: "coalmine up loads the image of the coalmine that runs it", Run: image},
		{Group: groupCluster, Name: "gateway-api", Title: "Gateway API CRDs are there, in a version that the mesh can", Needs: []string{apiNeeded},
			Hint: "coalmine up installs them in version 1.2.1", Run: gatewayAPI},
		{Group: groupCluster, Name: "pods-ready", Title: "the lab's pods are ready", Needs: []string{meshNeeded},
			Hint: "kubectl describe pod says what a pod waits for", Run: podsReady},
	}
}

// prometheusChecks look at what guardrails and other checks ask.
func prometheusChecks() []Check {
	return []Check{
		{Group: groupPrometheus, Name: "prometheus-answers", Title: "Prometheus answers", Needs: []string{meshNeeded},
			Hint: "kubectl --namespace " + names.VizNamespace + " get pods says what it waits for", Run: prometheusAnswers},
		{Group: groupPrometheus, Name: "proxies-scraped", Title: "the proxies' metrics are collected", Needs: []string{queriesNeeded},
			Hint: "look at the targets of job linkerd-proxy in Prometheus", Run: proxiesScraped},
		{Group: groupPrometheus, Name: "linkerd-series", Title: "Prometheus has Linkerd's series", Needs: []string{queriesNeeded},
			Hint: "send some requests; without traffic the proxies show none (and checks that ask for them fail)", Run: linkerdSeries},
		{Group: groupPrometheus, Name: "app-series", Title: "Prometheus has the demo services' own series", Needs: []string{queriesNeeded},
			Hint: "send some requests: without traffic there is none; then look at the targets of the services in Prometheus", Run: appSeries},
	}
}

// meshChecks look at identities and proxies.
func meshChecks() []Check {
	return []Check{
		{Group: groupTrust, Name: "trust-anchor", Title: "the trust anchor is valid", Needs: []string{meshNeeded},
			Hint: "make the lab anew: coalmine down, coalmine up", Run: trustAnchor},
		{Group: groupTrust, Name: "issuer", Title: "the issuer is valid and signed by the anchor", Needs: []string{meshNeeded},
			Hint: "make the lab anew: coalmine down, coalmine up", Run: issuer},
		{Group: groupTrust, Name: "workload-certificates", Title: "no proxy's certificate is near its end", Needs: []string{queriesNeeded},
			Hint: "restart the pods; if that does not help, look at the identity service's log", Run: workloadCertificates},
		{Group: groupMesh, Name: "control-plane", Title: "the control plane is ready", Needs: []string{meshNeeded},
			Hint: "kubectl --namespace " + names.MeshNamespace + " get pods says what it waits for", Run: controlPlane},
		{Group: groupMesh, Name: "injector", Title: "the injector's webhook is there and trusted", Needs: []string{meshNeeded},
			Hint: "coalmine up installs it", Run: injector},
		{Group: groupMesh, Name: "injection", Title: "pods of the demo services have their proxy", Needs: []string{meshNeeded},
			Hint: "annotate the namespace with " + names.InjectAnnotation + "=enabled and restart the pods", Run: injection},
		{Group: groupMesh, Name: "mtls", Title: "requests between the demo services go over mTLS", Needs: []string{queriesNeeded},
			Hint: "look which clients have no proxy: their requests have no identity", Run: mtls},
	}
}

// deliveryChecks look at policy and Flagger.
func deliveryChecks() []Check {
	return []Check{
		{Group: groupPolicy, Name: "policy-crds", Title: "Linkerd's policy resources are there", Needs: []string{apiNeeded},
			Hint: "coalmine up installs them", Run: policyCRDs},
		{Group: groupPolicy, Name: "policies-hold", Title: "every policy refers to something that is there", Needs: []string{"policy-crds"},
			Hint: "Linkerd ignores an AuthorizationPolicy as a whole when one of its references leads nowhere", Run: policiesEnforced},
		{Group: groupPolicy, Name: "servers-primary", Title: "Servers cover the primary as well as the canary", Needs: []string{"policy-crds"},
			Hint: "Flagger gives the primary's pods the label NAME-primary: select both", Run: serversPrimary},
		{Group: groupFlagger, Name: "flagger-ready", Title: "Flagger is ready", Needs: []string{apiNeeded},
			Hint: "kubectl --namespace " + names.FlaggerNamespace + " describe pods says what it waits for", Run: flaggerReady},
		{Group: groupFlagger, Name: "flagger-provider", Title: "Flagger drives Gateway API in the version that works with Linkerd", Needs: []string{"flagger-ready"},
			Hint: "set meshProvider to gatewayapi:v1beta1: v1 waits for a status that Linkerd never writes", Run: flaggerProvider},
		{Group: groupFlagger, Name: "canaries", Title: "no canary is stuck", Needs: []string{"flagger-ready"},
			Hint: "kubectl --namespace " + names.DevelopNamespace + " describe canary tells Flagger's events", Run: canaries},
	}
}
