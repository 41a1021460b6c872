// Package mapping translates the names of production manifests to those of a scenario: namespaces,
// Deployments, Services, ports, and the queries and policies that name them. It changes YAML trees
// between reading and decoding, so that the lines of the manifests stay what they are.
package mapping

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"coalmine/lab/input/yamlpos"
)

// Document is one YAML document.
type Document struct {
	File string
	// Root is the object, a mapping. Map changes it in place.
	Root *yaml.Node
	// Aside says why the object is not played, "" if it is.
	Aside string

	apiVersion, kind, name, namespace string
}

// Lab has the names of a scenario.
type Lab struct {
	Namespace string
	// Release is the service that is released; "" if none is.
	Release string
	// Services can be a Canary's target. If there are none, any Deployment can.
	Services []string
	// Clients call the services. They have names and ServiceAccounts, but no Service.
	Clients []string
	// Ports and TargetPorts are the ports of services and of their pods.
	Ports, TargetPorts map[string]int
	// Latencies are how long a sample of a service's requests takes if nothing is wrong, sorted.
	Latencies map[string][]time.Duration
	// Cohorts are the users whom a foreign experiment may have, none if it has only its own. Horizon is
	// how long the scenario lasts after the release; 0 if that is not known.
	Cohorts []Cohort
	Horizon time.Duration
	// Prometheus is the address of the lab's Prometheus.
	Prometheus string
	// Translate changes what is for another mesh or ingress, too.
	Translate bool
}

// Note says what is played otherwise than it is written, or why the names cannot be mapped.
type Note struct {
	// Document is nil for a note about the manifests as a whole.
	Document             *Document
	Field, Message, Hint string
	// Error is set if the manifests cannot be played.
	Error bool
	// Rule is the name of a lint rule, whose finding is a warning; "" for a note.
	Rule string
}

// Part is a part of a Canary that is not played as it is written.
type Part struct {
	Document *Document
	// Path is the field, What one of the LeftOut constants of package event, Name the part's name.
	Path, What, Name, Reason string
}

// The kinds of parts, as package event has them.
const (
	partCheck    = "check"
	partQuery    = "query"
	partMesh     = "mesh"
	partMatch    = "match"
	partInterval = "interval"
	partMirror   = "mirror"
)

// Edit is one change of a manifest and the reason for it.
type Edit struct {
	Document *Document
	// Path is the field.
	Path string
	Line int
	// Old and New are the values, shortened; "" for a field that is added or removed.
	Old, New, Reason string
}

// Result is what became of the documents.
type Result struct {
	Notes []Note
	Edits []Edit
	Names *Names
	// Targets are the Deployments of the Canaries that are played, by the lab's names.
	Targets []string
	// LeftOut are the parts of Canaries that are not played as they are written.
	LeftOut []Part
	// Used are Deployments whose ports or labels the mapping may depend on.
	Used []*Document
	// Templates are the MetricTemplates that the Canaries need in addition, for Lab.TemplateFile.
	Templates []string
}

// Failed reports whether the names cannot be mapped. Other errors would only follow from that.
func (r *Result) Failed() bool {
	return slices.ContainsFunc(r.Notes, func(n Note) bool { return n.Error })
}

// app is a workload that a Canary releases.
type app struct {
	doc *Document
	// canary, target and service are the names in the manifests.
	canary, target, service, namespace string
	port, targetPort, portName         string
	// to is the lab's service, "" if the Canary is not played.
	to string
	// explicit is set if a rule names the app, implicit if its namespace is not written.
	explicit, implicit bool
	// otherMesh is set if the Canary is written for another mesh or ingress, namesMesh if it says so.
	otherMesh, namesMesh bool
}

type mapper struct {
	lab    Lab
	rules  []Rule
	docs   []*Document
	apps   []*app
	names  *Names
	result *Result
	// moved maps the kind, namespace and name of an object to its name in the lab.
	moved map[[3]string]string
	// taken has the names in the lab, by kind.
	taken map[[2]string]bool
	// ports are the names and numbers of the container ports of Deployments in the manifests.
	ports map[string]map[string]string
	// gateways are the Gateways in whose place Canaries have their Service.
	gateways map[*Document]string
	// podLabels are the labels of the pods of Deployments in the manifests.
	podLabels map[string]map[string]string
}

// Map changes the names in the documents to those of the lab. Documents that already have the lab's
// names stay as they are.
func Map(docs []*Document, lab Lab, rules []Rule) *Result {
	m := &mapper{lab: lab, rules: rules, docs: docs, result: &Result{}, moved: map[[3]string]string{},
		taken: map[[2]string]bool{}, gateways: map[*Document]string{},
		ports: map[string]map[string]string{}, podLabels: map[string]map[string]string{}}
	m.names = newNames(lab)
	m.result.Names = m.names
	m.identify()
	if !m.plan() {
		return m.result
	}
	m.place()
	for _, canaries := range []bool{true, false} { // templates are mapped as Canaries use them
		for _, d := range m.docs {
			if d.Aside == "" && (d.kind == "Canary") == canaries {
				m.mapDocument(d)
			}
		}
	}
	m.checkBounds()
	m.summarize()
	return m.result
}

// identify reads the names of all documents.
func (m *mapper) identify() {
	seen := map[*yaml.Node]bool{}
	for _, d := range m.docs {
		unshare(d.Root, seen)
		d.apiVersion, d.kind = scalar(d.Root, "apiVersion"), scalar(d.Root, "kind")
		d.name, d.namespace = scalar(d.Root, "metadata.name"), scalar(d.Root, "metadata.namespace")
		switch d.kind {
		case "Canary":
			m.addApp(d)
		case "Deployment":
			m.addDeployment(d)
		}
	}
}

// unshare gives every alias of a value its own node, which can be changed alone.
func unshare(n *yaml.Node, seen map[*yaml.Node]bool) {
	seen[n] = true
	for i, c := range n.Content {
		if seen[c] {
			own := *c
			own.Content = slices.Clone(c.Content)
			n.Content[i] = &own
		}
		unshare(n.Content[i], seen)
	}
}

func (m *mapper) addApp(d *Document) {
	a := &app{doc: d, canary: d.name, namespace: cmp.Or(d.namespace, routeNamespace(d)),
		target: scalar(d.Root, "spec.targetRef.name"),
		port:   scalar(d.Root, "spec.service.port"), portName: scalar(d.Root, "spec.service.portName")}
	if a.namespace == "" {
		a.namespace = m.lab.Namespace
		a.implicit = true
	}
	a.service = cmp.Or(scalar(d.Root, "spec.service.name"), a.target)
	a.targetPort = cmp.Or(scalar(d.Root, "spec.service.targetPort"), a.port)
	a.otherMesh, a.namesMesh = forOtherMesh(d), namesMesh(d)
	if a.target == "" {
		return // reported when it is decoded
	}
	m.apps = append(m.apps, a)
}

// routeNamespace returns the namespace of the Service that a Canary's route belongs to. It is that
// of the Canary, too, if the Canary does not name one.
func routeNamespace(d *Document) string {
	refs, _ := find(d.Root, "spec.service.gatewayRefs")
	for _, ref := range refs.Items() {
		if scalar(ref.Value, "kind") == "Service" {
			return scalar(ref.Value, "namespace")
		}
	}
	return ""
}

func (m *mapper) addDeployment(d *Document) {
	labels, ports := map[string]string{}, map[string]string{}
	if f, ok := find(d.Root, "spec.template.metadata.labels"); ok {
		for i := 0; i+1 < len(f.Value.Content); i += 2 {
			labels[f.Value.Content[i].Value] = f.Value.Content[i+1].Value
		}
	}
	containers, _ := find(d.Root, "spec.template.spec.containers")
	for _, c := range containers.Items() {
		list, _ := c.Child("ports")
		for _, p := range list.Items() {
			ports[scalar(p.Value, "name")] = scalar(p.Value, "containerPort")
		}
	}
	m.podLabels[d.name], m.ports[d.name] = labels, ports
}

// find returns the field at a path.
func find(n *yaml.Node, path string) (yamlpos.Field, bool) {
	return yamlpos.Root(n).Find(yamlpos.Split(path)...)
}

// scalar returns the text of a field, "" if it is missing or not a scalar.
func scalar(n *yaml.Node, path string) string {
	f, ok := find(n, path)
	if !ok || f.Value.Kind != yaml.ScalarNode || f.Value.ShortTag() == "!!null" {
		return ""
	}
	return f.Value.Value
}

func (m *mapper) note(d *Document, field, message, hint string) {
	m.result.Notes = append(m.result.Notes, Note{Document: d, Field: field, Message: message, Hint: hint})
}

func (m *mapper) fail(d *Document, field, message, hint string) {
	m.result.Notes = append(m.result.Notes, Note{Document: d, Field: field, Message: message, Hint: hint, Error: true})
}

// set writes a scalar and records the change.
func (m *mapper) set(d *Document, path, value, reason string) {
	f, ok := find(d.Root, path)
	if !ok || f.Value.Kind != yaml.ScalarNode || f.Value.Value == value {
		return
	}
	m.record(d, path, f.Value.Line, f.Value.Value, value, reason)
	f.Value.Value = value
	if f.Value.Tag == "!!int" && strings.Trim(value, "0123456789") != "" {
		f.Value.Tag = "!!str"
	}
}

// setNumber writes an integer.
func (m *mapper) setNumber(d *Document, path string, value int, reason string) {
	m.set(d, path, fmt.Sprint(value), reason)
	if f, ok := find(d.Root, path); ok && f.Value.Value == fmt.Sprint(value) {
		f.Value.Tag, f.Value.Style = "!!int", 0
	}
}

func (m *mapper) record(d *Document, path string, line int, from, to, reason string) {
	m.result.Edits = append(m.result.Edits,
		Edit{Document: d, Path: path, Line: line, Old: from, New: to, Reason: reason})
}

// remove removes a key of the mapping at parent.
func (m *mapper) remove(d *Document, parent, key, reason string) {
	f, ok := find(d.Root, parent)
	if parent == "" {
		f, ok = yamlpos.Root(d.Root), true
	}
	if !ok || f.Value.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(f.Value.Content); i += 2 {
		if k := f.Value.Content[i]; k.Value == key {
			m.record(d, yamlpos.Join(parent, key), k.Line, brief(f.Value.Content[i+1]), "", reason)
			f.Value.Content = slices.Delete(f.Value.Content, i, i+2)
			return
		}
	}
}

// insert adds a key to the mapping at parent, after another of its keys or at its end.
func (m *mapper) insert(d *Document, parent, after, key string, value *yaml.Node, reason string) {
	f, ok := find(d.Root, parent)
	if parent == "" {
		f, ok = yamlpos.Root(d.Root), true
	}
	if !ok || f.Value.Kind != yaml.MappingNode {
		return
	}
	at, line := len(f.Value.Content), f.Key.Line
	for i := 0; i+1 < len(f.Value.Content); i += 2 {
		if k := f.Value.Content[i]; k.Value == after {
			at, line = i+2, k.Line
		}
	}
	setLine(value, line)
	m.record(d, yamlpos.Join(parent, key), line, "", brief(value), reason)
	name := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key, Line: line}
	f.Value.Content = slices.Insert(f.Value.Content, at, name, value)
}

// setLine gives a new node the line of what it was added to.
func setLine(n *yaml.Node, line int) {
	n.Line = line
	for _, c := range n.Content {
		setLine(c, line)
	}
}

// brief shows a value on one line.
func brief(n *yaml.Node) string {
	if n.Kind == yaml.ScalarNode {
		return n.Value
	}
	c := *n
	c.Style = yaml.FlowStyle
	text, err := yaml.Marshal(&c)
	if err != nil {
		return "…"
	}
	return strings.Join(strings.Fields(string(text)), " ")
}

func stringNode(value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value}
}

func intNode(value int) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: fmt.Sprint(value)}
}

// mappingNode returns a mapping of keys and values.
func mappingNode(pairs ...any) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	for i := 0; i+1 < len(pairs); i += 2 {
		value, ok := pairs[i+1].(*yaml.Node)
		if !ok {
			value = stringNode(pairs[i+1].(string))
		}
		n.Content = append(n.Content, stringNode(pairs[i].(string)), value)
	}
	return n
}
