package guardrail

import (
	"net/url"
	"strings"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"
	corev1 "k8s.io/api/core/v1"
)

const noAlertsSent = "the lab collects alerts and sends none"

// checkAlertProvider checks where alerts would go. The lab collects what Flagger sends and does not
// forward it, so the address may be that of a real chat service. It may not be an address of the
// machine or its network.
func (c *checker) checkAlertProvider(d *document, v *flaggerv1.AlertProvider) {
	switch v.Spec.Type {
	case "slack", "discord", "rocket", "msteams", "gchat": // flagger pkg/notifier/factory.go
	default:
		c.fail(d, "spec.type", Clip(v.Spec.Type)+" is not a type of alert provider",
			"use slack, msteams, discord, rocket or gchat")
	}
	if v.Spec.Proxy != "" {
		c.note(d, "spec.proxy", "is not used: the lab collects alerts and sends none", "")
	}
	switch {
	case v.Spec.SecretRef != nil:
		c.checkAlertSecret(d, v.Spec.SecretRef.Name)
	case v.Spec.Address == "":
		c.fail(d, "spec.address", "is missing", "write the URL of the chat service's webhook; "+noAlertsSent)
	}
	if v.Spec.Address != "" {
		c.checkAlertAddress(d, "spec.address", v.Spec.Address)
	}
}

// checkAlertSecret checks the Secret from which Flagger reads the address.
// Source: flagger pkg/controller/events.go, alert.
func (c *checker) checkAlertSecret(d *document, name string) {
	found := c.findOrNote(d, "spec.secretRef.name", "Secret", name)
	if found == nil {
		return
	}
	secret := found.object.Value.(*corev1.Secret)
	address, ok := secret.Data["address"]
	if !ok {
		c.fail(found, "metadata.name", "the Secret of AlertProvider "+Clip(d.object.Name)+" has no key address",
			"write the URL under stringData.address")
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
		c.fail(d, field, "is not the URL of a webhook", "write https://HOST/PATH; "+noAlertsSent)
		return
	}
	const hint = "write the host name of a chat service; " + noAlertsSent
	host := strings.ToLower(u.Hostname())
	switch {
	case isAddress(host):
		c.fail(d, field, "host "+Clip(host)+" is not allowed: it is an IP address", hint)
	case host == "localhost" || strings.HasSuffix(host, ".localhost"):
		c.fail(d, field, "host "+Clip(host)+" is not allowed: it is this machine", hint)
	case host == GateHost || IsLabPrometheus(u.Scheme+"://"+u.Host):
		c.fail(d, field, "host "+Clip(host)+" is not allowed: it is a service of the lab", hint)
	}
	if u.User != nil {
		c.fail(d, field, "the URL must not contain a user or password", "remove them from the URL")
	}
}
