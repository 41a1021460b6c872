package guardrail

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// HTTPLocalRateLimitPolicy limits the requests to a Server, in each pod by itself.
type HTTPLocalRateLimitPolicy struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              RateLimitSpec `json:"spec"`
}

// RateLimitSpec is the spec of an HTTPLocalRateLimitPolicy.
type RateLimitSpec struct {
	TargetRef PolicyTargetRef `json:"targetRef"`
	// Total limits all clients together, Identity each of them.
	Total    *RateLimit `json:"total,omitempty"`
	Identity *RateLimit `json:"identity,omitempty"`
	// Overrides replace Identity for some clients.
	Overrides []RateLimitOverride `json:"overrides,omitempty"`
}

// RateLimit is a number of requests per second.
type RateLimit struct {
	RequestsPerSecond int64 `json:"requestsPerSecond"`
}

// RateLimitOverride is the limit of the clients that it refers to.
type RateLimitOverride struct {
	RequestsPerSecond int64               `json:"requestsPerSecond"`
	ClientRefs        []AuthenticationRef `json:"clientRefs"`
}

// DeepCopyObject implements runtime.Object.
func (p *HTTPLocalRateLimitPolicy) DeepCopyObject() runtime.Object {
	c := *p
	c.ObjectMeta = *p.ObjectMeta.DeepCopy()
	if p.Spec.Total != nil {
		c.Spec.Total = new(*p.Spec.Total)
	}
	if p.Spec.Identity != nil {
		c.Spec.Identity = new(*p.Spec.Identity)
	}
	c.Spec.Overrides = append([]RateLimitOverride(nil), p.Spec.Overrides...)
	for i, o := range p.Spec.Overrides {
		c.Spec.Overrides[i].ClientRefs = append([]AuthenticationRef(nil), o.ClientRefs...)
	}
	return &c
}
