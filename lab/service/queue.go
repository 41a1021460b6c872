package service

// queue is a FIFO ring buffer of jobs that grows up to its limit and never shrinks.
type queue struct {
	ring        []Job
	first, size int
	limit       int
}

func (q *queue) len() int { return q.size }

// push adds a job. It returns false if the queue is full.
func (q *queue) push(j *Job) bool {
	if q.size >= q.limit {
		return false
	}
	if q.size == len(q.ring) {
		q.grow()
	}
	q.ring[(q.first+q.size)%len(q.ring)] = *j
	q.size++
	return true
}

// pop removes the first job. The queue must not be empty.
func (q *queue) pop() Job {
	j := q.ring[q.first]
	q.first = (q.first + 1) % len(q.ring)
	q.size--
	return j
}

func (q *queue) grow() {
	bigger := make([]Job, min(max(2*len(q.ring), 8), q.limit))
	n := copy(bigger, q.ring[q.first:])
	copy(bigger[n:], q.ring[:q.first])
	q.ring, q.first = bigger, 0
}
