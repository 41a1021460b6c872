package sim

import "sync"

// guarded is a value that is only accessible under its lock.
type guarded[T any] struct {
	mu    sync.Mutex
	value T
}

// lock locks the value and returns it. It must not be used after unlock.
func (g *guarded[T]) lock() (value *T, unlock func()) {
	g.mu.Lock()
	return &g.value, g.mu.Unlock
}
