package guardrail

import (
	"net/url"
	"strings"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"
	corev1 "k8s.io/api/core/v1"
)

// checkAlertProvider checks where alerts would go. The lab collects what Flagger sends and never passes it on, so a real
// chat service's address may stand there; what points into the machine or its network may not.
func (c *checker) checkAlertProvider(d *document, v *flaggerv1.AlertProvider) {
	switch v.Spec.Type {
	case "slack", "discord", "rocket", "msteams", "gchat": // flagger pkg/notifier/factory.go
	default:
		c.fail(d, "spec.type", clip(v.Spec.Type)+" is no type of alert provider", "use one of slack, msteams, discord, rocket, gchat")
	}
	if v.Spec.Proxy != "" {
		c.fail(d, "spec.proxy", "is refused: the lab has a network of its own", "take it out")
	}
	switch {
	case v.Spec.SecretRef != nil:
		c.checkAlertSecret(d, v.Spec.SecretRef.Name)
	case v.Spec.Address == "":
		c.fail(d, "spec.address", "is missing", "write the chat service's webhook URL; the lab collects alerts and sends none")
	}
	if v.Spec.Address != "" {
		c.checkAlertAddress(d, "spec.address", v.Spec.Address)
	}
}

// checkAlertSecret checks the Secret from which Flagger takes the address. Source: flagger pkg/controller/events.go, alert.
func (c *checker) checkAlertSecret(d *document, name string) {
	found := c.find(d, "spec.secretRef.name", "Secret", name)
	if found == nil {
		return
	}
	secret := found.object.Value.(*corev1.Secret)
	address, ok := secret.Data["address"]
	if !ok {
		c.fail(found, "metadata.name", "the Secret of AlertProvider "+clip(d.object.Name)+" has no key address", "write the URL under stringData.address")
		return
	}
	field := "data.address"
	if found.has("stringData.address") {
		field = "stringData.address"
	}
	c.checkAlertAddress(found, field, string(address))
}

func (c *checker) checkAlertAddress(d *document, field, raw string) {
	u, err := url.Parse(raw)
	if err != nil || u.Opaque != "" || u.Hostname() == "" || (u.Scheme != "http" && u.Scheme != "https") {
		c.fail(d, field, "is not the URL of a webhook", "write https://HOST/PATH; the lab collects alerts and sends none")
		return
	}
	host := strings.ToLower(u.Hostname())
	_, literal := parseIP(host)
	if literal || host == "localhost" || strings.HasSuffix(host, ".localhost") || host == GateHost || IsLabPrometheus(u.Scheme+"://"+u.Host) {
		reason := hostReason(host)
		if !literal && !strings.Contains(host, "localhost") {
			reason = "it is a service of the lab"
		}
		c.fail(d, field, "host "+clip(host)+" is refused: "+reason, "write the host name of a chat service; the lab collects alerts and sends none")
	}
	if u.User != nil {
		c.fail(d, field, "user and password in the URL are refused", "keep secrets out of URLs")
	}
}
