// Package format writes figures for people: counts, shares, rates, metric values, durations and
// times of a run. Reports, the flight deck and the load summary all use it, so that a figure reads
// the same wherever it stands.
//
//   - Counts group their thousands by a space: 12 480.
//   - A share is in percent, with two significant digits of its distance to the nearer of 0 % and
//     100 %: 38 %, 0.40 %, 99.62 %. It has at most three decimals, and only what is exactly
//     nothing or everything reads 0 % or 100 %: the rest is <0.001 % or >99.999 %.
//   - A time of the run truncates to the second, as clocks do: 4:41.6 reads 04:41.
//   - A duration rounds to the second: 29 s, from two minutes on 4 min 10 s.
//   - A latency has three significant digits: 13 µs, 1.25 ms, 4.07 s.
//   - What was not measured, or never happened, is [Missing].
package format

// Missing stands for what was not measured, or never happened.
const Missing = "–"
