package service_test

import (
	"fmt"
	"time"

	"coalmine/lab/service"
)

// An event loop offers jobs to a pod and calls Done when the work is done. Here three requests
// arrive at a pod with one slot and a queue of one.
func ExamplePod() {
	model, err := service.Compile(service.Behaviour{
		Routes: map[string]service.RouteBehaviour{"": {Latency: service.Latency{P50: 30 * time.Millisecond,
			P99: 30 * time.Millisecond}}},
		Capacity: service.Capacity{Concurrency: 1, Queue: 1},
	}, service.Vocabulary{Routes: []string{"home"}, Cohorts: []string{"web"}}, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	pod := service.NewPod(model, 0)

	now := 5 * time.Millisecond
	first, _ := pod.Offer(now, service.Job{Tag: 1})
	_, second := pod.Offer(now, service.Job{Tag: 2})
	_, third := pod.Offer(now, service.Job{Tag: 3})
	fmt.Println("second queued:", second == service.Queued, "- third rejected:", third == service.Rejected)

	for job, busy := first, true; busy; {
		now += job.Work.Before + job.Work.After
		if pod.Valid(job.Slot) { // false when the pod was killed meanwhile
			fmt.Println(now, "job", job.Job.Tag, "answers", job.Work.Status)
		}
		job, busy = pod.Done(now, job.Slot)
	}
	// Output:
	// second queued: true - third rejected: true
	// 35ms job 1 answers 200
	// 65ms job 2 answers 200
}
