// Package accesslog reads the access logs of web servers: the common and the combined format, and JSON lines. It knows
// nothing of workloads.
package accesslog

import "time"

// Line is one request of a log.
type Line struct {
	// Number of the line in its file, from 1.
	Number int
	// At is when the request came.
	At time.Time
	// Client is the remote host, User the authenticated user; "" for none.
	Client, User string
	Method       string
	// Target is the path with its query.
	Target             string
	Status             int
	Bytes              int64
	Referer, UserAgent string
}
