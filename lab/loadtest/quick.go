package loadtest

import (
	"cmp"
	"net/url"
	"strings"

	"coalmine/lab/input"
	"coalmine/loadgen"
)

// Workload of a test that only names a URL.
const (
	quickName  = "url"
	quickRate  = 50
	quickUsers = 100
)

// IsURL reports whether the argument in place of a workload is the URL to request.
func IsURL(name string) bool {
	return strings.HasPrefix(name, "http://") || strings.HasPrefix(name, "https://")
}

// quick returns the options and the source of a test that sends one kind of request to a URL: the
// argument in place of a workload, or the target.
func (o Options) quick(name string) (Options, *source, error) {
	if name == "" && len(o.Target.URLs) == 1 {
		name = o.Target.URLs[0]
	} else if len(o.Target.URLs) > 0 {
		return o, nil, input.New("name a workload to send to several targets, or one URL",
			"a URL in place of a workload cannot be combined with --target")
	}
	u, err := url.Parse(name)
	if err != nil || !IsURL(name) || u.Host == "" {
		return o, nil, input.New("write http://HOST:PORT/PATH, or name a workload", "%q is not a URL", name)
	}
	base := url.URL{Scheme: u.Scheme, User: u.User, Host: u.Host}
	o.Target.URLs = []string{base.String()}
	path := cmp.Or(u.EscapedPath(), "/")
	if u.RawQuery != "" {
		path += "?" + u.RawQuery
	}
	route := loadgen.Route{Name: cmp.Or(u.EscapedPath(), "/"), Path: path, Method: o.Plan.Method}
	return o, &source{name: quickName, workload: loadgen.Workload{
		Rate: loadgen.Curve{Constant: quickRate}, Routes: []loadgen.Route{route},
		Cohorts: []loadgen.Cohort{{Name: "all", Share: 1, Users: quickUsers, Mix: map[string]float64{route.Name: 1}}},
	}}, nil
}
