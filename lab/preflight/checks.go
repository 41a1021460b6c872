package preflight

import (
	"fmt"
	"slices"
	"time"

	"coalmine/lab/kindlab/node"
	"coalmine/lab/kindlab/place"
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
	// renewIssuer is how long before its end an issuer ought to be renewed.
	renewIssuer = 60 * 24 * time.Hour
	// freshScrape is how old the newest sample may be: three scrapes.
	freshScrape = 30 * time.Second
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
			Hint: "start Docker, and let this user talk to it (docker info must work)", Look: dockerAnswers},
		{Group: groupDocker, Name: "memory", Title: "Docker has memory for a lab", Needs: []string{"docker-answers"},
			Hint: fmt.Sprintf("give Docker %d GiB or more", node.MinMemory>>30), Look: memory},
		{Group: groupCluster, Name: "cluster-runs", Title: "the cluster's containers run", Needs: []string{"docker-answers"},
			Hint: "coalmine up makes the cluster, and starts one that was stopped", Look: clusterRuns},
		{Group: groupCluster, Name: "api-answers", Title: "the API server answers", Needs: []string{"cluster-runs"},
			Hint: "coalmine up mends a half-made cluster; coalmine down removes it", Look: apiAnswers},
		{Group: groupCluster, Name: "nodes-ready", Title: "all nodes are ready", Needs: []string{apiNeeded},
			Hint: "kubectl describe node says what a node waits for", Look: nodesReady},
		{Group: groupCluster, Name: "brought-up", Title: "the lab was brought up", Needs: []string{apiNeeded},
			Hint: "coalmine up goes on where it was stopped", Look: broughtUp},
		{Group: groupCluster, Name: "image", Title: "the lab runs this coalmine", Needs: []string{meshNeeded},
			Hint: "coalmine up loads the image of the coalmine that runs it", Look: image},
		{Group: groupCluster, Name: "gateway-api", Title: "Gateway API CRDs are there, in a version that the mesh can", Needs: []string{apiNeeded},
			Hint: "coalmine up installs them in version 1.2.1", Look: gatewayAPI},
		{Group: groupCluster, Name: "pods-ready", Title: "the lab's pods are ready", Needs: []string{meshNeeded},
			Hint: "kubectl describe pod says what a pod waits for", Look: podsReady},
	}
}

// prometheusChecks look at what guardrails and other checks ask.
func prometheusChecks() []Check {
	return []Check{
		{Group: groupPrometheus, Name: "prometheus-answers", Title: "Prometheus answers", Needs: []string{meshNeeded},
			Hint: "kubectl --namespace " + place.Viz + " get pods says what it waits for", Look: prometheusAnswers},
		{Group: groupPrometheus, Name: "proxies-scraped", Title: "the proxies' metrics are collected", Needs: []string{queriesNeeded},
			Hint: "look at the targets of job linkerd-proxy in Prometheus", Look: proxiesScraped},
		{Group: groupPrometheus, Name: "linkerd-series", Title: "Prometheus has Linkerd's series", Needs: []string{queriesNeeded},
			Hint: "send some requests; without traffic the proxies show none (and checks that ask for them fail)", Look: linkerdSeries},
		{Group: groupPrometheus, Name: "app-series", Title: "Prometheus has the demo services' own series", Needs: []string{queriesNeeded},
			Hint: "send some requests: without traffic there is none; then look at the targets of the services in Prometheus", Look: appSeries},
	}
}

// meshChecks look at identities and proxies.
func meshChecks() []Check {
	return []Check{
		{Group: groupTrust, Name: "trust-anchor", Title: "the trust anchor is valid", Needs: []string{meshNeeded},
			Hint: "make the lab anew: coalmine down, coalmine up", Look: trustAnchor},
		{Group: groupTrust, Name: "issuer", Title: "the issuer is valid and signed by the anchor", Needs: []string{meshNeeded},
			Hint: "make the lab anew: coalmine down, coalmine up", Look: issuer},
		{Group: groupTrust, Name: "workload-certificates", Title: "no proxy's certificate is near its end", Needs: []string{queriesNeeded},
			Hint: "restart the pods; if that does not help, look at the identity service's log", Look: workloadCertificates},
		{Group: groupMesh, Name: "control-plane", Title: "the control plane is ready", Needs: []string{meshNeeded},
			Hint: "kubectl --namespace " + place.Mesh + " get pods says what it waits for", Look: controlPlane},
		{Group: groupMesh, Name: "injector", Title: "the injector's webhook is there and trusted", Needs: []string{meshNeeded},
			Hint: "coalmine up installs it", Look: injector},
		{Group: groupMesh, Name: "injection", Title: "pods of the demo services have their proxy", Needs: []string{meshNeeded},
			Hint: "annotate the namespace with " + place.InjectAnnotation + "=enabled and restart the pods", Look: injection},
		{Group: groupMesh, Name: "mtls", Title: "requests between the demo services go over mTLS", Needs: []string{queriesNeeded},
			Hint: "look which clients have no proxy: their requests have no identity", Look: mtls},
	}
}

// deliveryChecks look at policy and Flagger.
func deliveryChecks() []Check {
	return []Check{
		{Group: groupPolicy, Name: "policy-crds", Title: "Linkerd's policy resources are there", Needs: []string{apiNeeded},
			Hint: "coalmine up installs them", Look: policyCRDs},
		{Group: groupPolicy, Name: "policies-hold", Title: "every policy refers to something that is there", Needs: []string{"policy-crds"},
			Hint: "Linkerd ignores an AuthorizationPolicy as a whole when one of its references leads nowhere", Look: policiesHold},
		{Group: groupPolicy, Name: "servers-primary", Title: "Servers cover the primary as well as the canary", Needs: []string{"policy-crds"},
			Hint: "Flagger gives the primary's pods the label NAME-primary: select both", Look: serversPrimary},
		{Group: groupFlagger, Name: "flagger-ready", Title: "Flagger is ready", Needs: []string{apiNeeded},
			Hint: "kubectl --namespace " + place.Flagger + " describe pods says what it waits for", Look: flaggerReady},
		{Group: groupFlagger, Name: "flagger-provider", Title: "Flagger drives Gateway API in the version that works with Linkerd", Needs: []string{"flagger-ready"},
			Hint: "set meshProvider to gatewayapi:v1beta1: v1 waits for a status that Linkerd never writes", Look: flaggerProvider},
		{Group: groupFlagger, Name: "canaries", Title: "no canary is stuck", Needs: []string{"flagger-ready"},
			Hint: "kubectl --namespace " + place.Develop + " describe canary tells Flagger's events", Look: canaries},
	}
}
