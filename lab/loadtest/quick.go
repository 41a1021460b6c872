package loadtest

import (
	"cmp"
	"context"
	"net/http"
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
func (o Options) quick(ctx context.Context, name string) (Options, *source, error) {
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
	if strings.Contains(name, userPlaceholder) {
		path = strings.ReplaceAll(path, url.PathEscape(userPlaceholder), userPlaceholder)
	}
	body, err := o.quickBody(ctx)
	if err != nil {
		return o, nil, err
	}
	route := loadgen.Route{Name: cmp.Or(u.EscapedPath(), "/"), Path: path, Method: o.Plan.Method, Body: body}
	if body != "" {
		route.Method = cmp.Or(route.Method, http.MethodPost)
	}
	return o, &source{name: quickName, workload: loadgen.Workload{
		Rate: loadgen.Curve{Constant: quickRate}, Routes: []loadgen.Route{route},
		Cohorts: []loadgen.Cohort{{Name: "all", Share: 1, Users: quickUsers, Mix: map[string]float64{route.Name: 1}}},
	}}, nil
}

// Placeholders of [loadgen.Route].
const (
	userPlaceholder = "{user}"
	itemPlaceholder = "{item}"
)

// maxBodyFile limits the size of a body that is read from a file.
const maxBodyFile = 1 << 20

// quickBody returns the body that the options name.
func (o Options) quickBody(ctx context.Context) (string, error) {
	body := o.Plan.Body
	if name, ok := strings.CutPrefix(body, "@"); ok {
		data, err := input.ReadFile(ctx, o.path(name), maxBodyFile)
		if err != nil {
			return "", input.New("name a file of at most 1 MiB, or write the body itself", "--body: %w", err)
		}
		body = string(data)
	}
	if strings.Contains(body, itemPlaceholder) {
		return "", input.New("use {user}, or write a workload file with items", "--body contains {item}, but a URL "+
			"in place of a workload has no items")
	}
	return body, nil
}
