package plot

import "math"

// axis maps values to places between two ends.
type axis struct {
	from, to float64 // values at the ends
	start    float64 // places of the ends
	end      float64
	log      bool
}

// wide is the ratio of values beyond which a linear axis shows the small ones no
// more.
const wide = 20

// newAxis fits an axis to values: a linear one begins at zero.
func newAxis(values []float64, start, end float64) axis {
	least, most := math.Inf(1), 0.0
	for _, v := range values {
		if v > 0 {
			least, most = min(least, v), max(most, v)
		}
	}
	a := axis{to: most * 1.05, start: start, end: end}
	if most > wide*least {
		a.log, a.from = true, least/1.2
	}
	return a
}

func (a axis) at(v float64) float64 {
	from, to := a.from, a.to
	if a.log {
		from, to, v = math.Log(from), math.Log(to), math.Log(v)
	}
	return a.start + (v-from)/(to-from)*(a.end-a.start)
}

// ticks are round values along the axis.
func (a axis) ticks() []float64 {
	if a.log {
		return a.decades()
	}
	const some = 8
	step := math.Pow(10, math.Floor(math.Log10(a.to/some)))
	for _, factor := range []float64{1, 2, 5, 10} {
		if a.to/(step*factor) <= some {
			step *= factor
			break
		}
	}
	var all []float64
	for i := 0; float64(i)*step <= a.to; i++ {
		all = append(all, float64(i)*step)
	}
	return all
}

func (a axis) decades() []float64 {
	var all []float64
	for unit := math.Pow(10, math.Floor(math.Log10(a.from))); unit <= a.to; unit *= 10 {
		for _, factor := range []float64{1, 2, 5} {
			if v := unit * factor; v >= a.from && v <= a.to {
				all = append(all, v)
			}
		}
	}
	return all
}
