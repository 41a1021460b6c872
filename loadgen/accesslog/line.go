// Package accesslog reads the access logs of web servers: the common and the combined log format,
// JSON lines, and the text formats of Envoy, Istio and the load balancers of AWS.
package accesslog

import "time"

// Line is one request of a log.
type Line struct {
	// Number is the line number in the file, from 1.
	Number int
	// At is the time of the request.
	At time.Time
	// Client is the remote host, User the authenticated user; "" if missing.
	Client, User string
	Method       string
	// Target is the path with its query.
	Target             string
	Status             int
	Bytes              int64
	Referer, UserAgent string
}
