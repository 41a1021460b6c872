package stats

import "math"

// grid holds the density of a random walk with standard normal steps that has not left its bounds.
type grid struct {
	reach   float64 // points lie in [-reach, reach]
	density []float64
	next    []float64
	bound   float64 // of the last step
}

// gridPoints is odd, so that 0 is a point; the trapezoidal rule is then exact to 5 digits for up to some 50 looks.
const gridPoints = 2001

func newGrid(reach float64) *grid {
	return &grid{reach: reach, next: make([]float64, gridPoints)}
}

func (g *grid) at(i int) float64 { return -g.reach + float64(i)*g.width() }

func (g *grid) width() float64 { return 2 * g.reach / (gridPoints - 1) }

// step adds one normal step and cuts off what lies beyond the bound.
func (g *grid) step(bound float64) {
	for i := range g.next {
		g.next[i] = 0
		if x := g.at(i); math.Abs(x) <= bound {
			g.next[i] = g.arrive(x)
		}
	}
	if g.density == nil {
		g.density = make([]float64, gridPoints)
	}
	g.density, g.next = g.next, g.density
	g.bound = bound
}

// arrive is the density of reaching x, from 0 in the first step.
func (g *grid) arrive(x float64) float64 {
	if g.density == nil {
		return phi(x)
	}
	sum, h := 0.0, g.width()
	from := max(0, int((x-8+g.reach)/h))
	to := min(gridPoints-1, int((x+8+g.reach)/h)+1)
	for j := from; j <= to; j++ {
		if d := g.density[j]; d > 0 {
			sum += d * g.weight(j) * phi(x-g.at(j))
		}
	}
	return sum * h
}

// weight corrects the trapezoidal rule at the bound, which falls between two points.
func (g *grid) weight(j int) float64 {
	rest := (g.bound - math.Abs(g.at(j))) / g.width()
	if rest < 1 {
		return 0.5 + rest
	}
	return 1
}

// mass is the chance of never having left the bounds.
func (g *grid) mass() float64 {
	sum := 0.0
	for j, d := range g.density {
		if d > 0 {
			sum += d * g.weight(j)
		}
	}
	return sum * g.width()
}

func phi(x float64) float64 { return math.Exp(-x*x/2) / math.Sqrt(2*math.Pi) }
