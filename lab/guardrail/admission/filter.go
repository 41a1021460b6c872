package admission

import "strings"

// gatewayFilters are the filters of a rule or of a backend.
func gatewayFilters(types []string) *schema {
	s := list(filter(types, true)).upTo(16)
	s.rule("May specify either httpRouteFilterRequestRedirect or httpRouteFilterRequestRewrite, but not both",
		"keep one of them", func(v any) bool {
			return countFilters(v, "RequestRedirect") == 0 || countFilters(v,
				"URLRewrite") == 0
		})
	for _, once := range []string{"RequestHeaderModifier", "ResponseHeaderModifier", "RequestRedirect", "URLRewrite"} {
		s.rule(once+" filter cannot be repeated", "keep one of them",
			func(v any) bool { return countFilters(v, once) <= 1 })
	}
	return s
}

func countFilters(v any, kind string) int {
	n := 0
	for _, f := range items(v) {
		if text(field(f, "type")) == kind {
			n++
		}
	}
	return n
}

// filter is one filter of the types that a kind of route allows.
func filter(types []string, gateway bool) *schema {
	header := func() *schema {
		return list(mapping(fields{"name": length(1, 256).matching(headerPattern), "value": length(1, 4096)}).
			requires("name", "value")).upTo(16).keyedBy("name")
	}
	modifier := func() *schema {
		return mapping(fields{"set": header(), "add": header(), "remove": list(anything()).upTo(16)})
	}
	s := mapping(fields{
		"type": values(types...), "requestHeaderModifier": modifier(), "responseHeaderModifier": modifier(),
		"requestRedirect": mapping(fields{
			"hostname": length(1, 253).matching(subdomainPattern), "path": pathModifier(gateway), "port": between(1,
				65535),
			"scheme": values("http", "https"), "statusCode": values("301", "302"),
		}),
	}).requires("type")
	if !gateway {
		return s
	}
	s.fields["requestMirror"] = mapping(fields{"backendRef": backendRef(true)}).requires("backendRef")
	s.fields["urlRewrite"] = mapping(fields{
		"hostname": length(1, 253).matching(subdomainPattern), "path": pathModifier(true),
	})
	s.fields["extensionRef"] = mapping(fields{
		"group": length(0, 253).matching(groupPattern), "kind": length(1, 63).matching(kindPattern), "name": length(1,
			253),
	}).requires("group", "kind", "name")
	for _, kind := range types {
		addUnionRules(s, kind)
	}
	return s
}

// addUnionRules allows the field of a filter's type, and no other.
func addUnionRules(s *schema, kind string) {
	name := strings.ToLower(kind[:1]) + kind[1:]
	if kind == "URLRewrite" {
		name = "urlRewrite"
	}
	s.rule("filter."+name+" must be nil if the filter.type is not "+kind, "remove "+name+", or correct the type",
		func(v any) bool { return field(v, name) == nil || text(field(v, "type")) == kind }).
		rule("filter."+name+" must be specified for "+kind+" filter.type", "add "+name,
			func(v any) bool { return field(v, name) != nil || text(field(v, "type")) != kind })
}

func pathModifier(gateway bool) *schema {
	s := mapping(fields{
		"type":            values("ReplaceFullPath", "ReplacePrefixMatch"),
		"replaceFullPath": length(0, 1024), "replacePrefixMatch": length(0, 1024),
	}).requires("type")
	if !gateway {
		return s
	}
	for kind, name := range map[string]string{
		"ReplaceFullPath": "replaceFullPath", "ReplacePrefixMatch": "replacePrefixMatch",
	} {
		s.rule(name+" must be specified when type is set to '"+kind+"'", "add "+name,
			func(v any) bool { return text(field(v, "type")) != kind || field(v, name) != nil }).
			rule("type must be '"+kind+"' when "+name+" is set", "correct the type",
				func(v any) bool { return field(v, name) == nil || text(field(v, "type")) == kind })
	}
	return s
}
