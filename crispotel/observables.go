package crispotel

import (
	"errors"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
)

// observables make instruments that are asked whenever metrics are read, and register a
// callback for all of them.
type observables struct {
	meter metric.Meter
	all   []metric.Observable
	errs  []error
}

func (t *telemetry) observables() *observables { return &observables{meter: t.meter} }

func (o *observables) gauge(i instrument) metric.Int64Observable {
	g, err := o.meter.Int64ObservableGauge(i.name, metric.WithUnit(i.unit), metric.WithDescription(i.description))
	if err != nil {
		g = noop.Int64ObservableGauge{}
	}
	o.add(g, err)
	return g
}

func (o *observables) count(i instrument) metric.Int64Observable {
	c, err := o.meter.Int64ObservableCounter(i.name, metric.WithUnit(i.unit), metric.WithDescription(i.description))
	if err != nil {
		c = noop.Int64ObservableCounter{}
	}
	o.add(c, err)
	return c
}

func (o *observables) float(i instrument) metric.Float64Observable {
	g, err := o.meter.Float64ObservableGauge(i.name, metric.WithUnit(i.unit), metric.WithDescription(i.description))
	if err != nil {
		g = noop.Float64ObservableGauge{}
	}
	o.add(g, err)
	return g
}

func (o *observables) add(i metric.Observable, err error) {
	o.all = append(o.all, i)
	o.errs = append(o.errs, err)
}

func (o *observables) register(callback metric.Callback) (metric.Registration, error) {
	if err := errors.Join(o.errs...); err != nil {
		return nil, err
	}
	return o.meter.RegisterCallback(callback, o.all...)
}
