package attack

import "net"

// Observe lets a test see what connections carry.
func Observe(a Attack, wrap func(net.Conn) net.Conn) Attack {
	a.observe = wrap
	return a
}

// Defaults returns the number of workers and connections that an attack has.
func Defaults(a Attack) (workers, connections int) {
	a = a.withDefaults()
	return a.Workers, a.Connections
}
