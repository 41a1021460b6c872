package guardrail

import (
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// ServiceProfile says how clients call a Service, which its name says: NAME.NAMESPACE.svc.DOMAIN
// (linkerd2, charts/linkerd-crds/templates/serviceprofile.yaml).
type ServiceProfile struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              ServiceProfileSpec `json:"spec,omitempty"`
}

// ServiceProfileSpec is the spec of a ServiceProfile.
type ServiceProfileSpec struct {
	Routes       []ProfileRoute      `json:"routes,omitempty"`
	RetryBudget  *ProfileRetryBudget `json:"retryBudget,omitempty"`
	DstOverrides []WeightedDst       `json:"dstOverrides,omitempty"`
	OpaquePorts  []string            `json:"opaquePorts,omitempty"`
}

// ProfileRoute is a route of a ServiceProfile.
type ProfileRoute struct {
	Name            string                 `json:"name"`
	Condition       ProfileMatch           `json:"condition"`
	IsRetryable     bool                   `json:"isRetryable,omitempty"`
	Timeout         string                 `json:"timeout,omitempty"`
	ResponseClasses []ProfileResponseClass `json:"responseClasses,omitempty"`
}

// ProfileMatch is a condition on requests. All fields that are set must hold.
type ProfileMatch struct {
	PathRegex string         `json:"pathRegex,omitempty"`
	Method    string         `json:"method,omitempty"`
	All       []ProfileMatch `json:"all,omitempty"`
	Any       []ProfileMatch `json:"any,omitempty"`
	Not       []ProfileMatch `json:"not,omitempty"`
}

// ProfileResponseClass says which responses are failures.
type ProfileResponseClass struct {
	Condition ProfileResponseMatch `json:"condition"`
	IsFailure bool                 `json:"isFailure,omitempty"`
}

// ProfileResponseMatch is a condition on responses.
type ProfileResponseMatch struct {
	Status *ProfileStatusRange    `json:"status,omitempty"`
	All    []ProfileResponseMatch `json:"all,omitempty"`
	Any    []ProfileResponseMatch `json:"any,omitempty"`
	Not    *ProfileResponseMatch  `json:"not,omitempty"`
}

// ProfileStatusRange is a range of statuses.
type ProfileStatusRange struct {
	Min int32 `json:"min,omitempty"`
	Max int32 `json:"max,omitempty"`
}

// ProfileRetryBudget bounds retries by the number of requests.
type ProfileRetryBudget struct {
	MinRetriesPerSecond int32   `json:"minRetriesPerSecond"`
	RetryRatio          float32 `json:"retryRatio"`
	TTL                 string  `json:"ttl"`
}

// WeightedDst is a destination that gets a share of the requests.
type WeightedDst struct {
	Authority string             `json:"authority,omitempty"`
	Weight    intstr.IntOrString `json:"weight,omitempty"`
}

// DeepCopyObject implements runtime.Object.
func (p *ServiceProfile) DeepCopyObject() runtime.Object {
	c := *p
	c.ObjectMeta = *p.ObjectMeta.DeepCopy()
	c.Annotations = maps.Clone(p.Annotations)
	if p.Spec.RetryBudget != nil {
		c.Spec.RetryBudget = new(*p.Spec.RetryBudget)
	}
	c.Spec.Routes = slices.Clone(p.Spec.Routes) // conditions are never changed
	c.Spec.DstOverrides = slices.Clone(p.Spec.DstOverrides)
	c.Spec.OpaquePorts = slices.Clone(p.Spec.OpaquePorts)
	return &c
}
