package gateway

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"sluice/gateway/migrate"
	"sluice/gateway/notify"
	"sluice/tls"
)

// conditions are those of the gateway itself, and of the stores in use.
func (g *gate) conditions() []migrate.Condition {
	list := g.ownConditions()
	for _, name := range slices.Sorted(maps.Keys(g.inUse())) {
		list = append(list, g.stores[name].reach.condition("store "+name))
	}
	return list
}

func (g *gate) ownConditions() []migrate.Condition {
	list := g.reloads.conditions()
	if g.certificates.Mode() != tls.Off {
		h := g.certificates.Health()
		message := h.Message
		if h.OK {
			message = fmt.Sprintf("%d are held", len(g.certificates.Certificates()))
		}
		list = append(list, migrate.Condition{Type: "certificates", Status: h.OK, Message: message, Since: h.Since})
	}
	if len(g.config.Notify.URLs) > 0 || g.config.Notify.Heartbeat.URL != "" {
		list = append(list, migrate.Condition(g.notifier.Condition()))
	}
	return list
}

// notify runs the notifier, and goes over to the next gate's where that has another.
func (g *Gateway) notify(ctx context.Context) {
	for ctx.Err() == nil {
		n := g.now.Load().notifier
		run, end := context.WithCancel(ctx)
		var room sync.WaitGroup
		room.Go(func() { n.Run(run) })
		for ctx.Err() == nil && g.now.Load().notifier == n {
			select {
			case <-ctx.Done():
			case <-g.reloads.reloaded:
			}
		}
		end()
		room.Wait()
	}
}

// subjects are all that operators can be told of.
func (g *gate) subjects() []notify.Subject {
	list := []notify.Subject{subject("gateway", g.ownConditions())}
	for name := range g.inUse() {
		list = append(list, subject("store "+name, []migrate.Condition{g.stores[name].reach.condition(notify.StoreAnswers)}))
	}
	for _, s := range g.status() {
		list = append(list, subject("bucket "+s.Bucket, s.Conditions))
	}
	return list
}

func subject(name string, conditions []migrate.Condition) notify.Subject {
	s := notify.Subject{Name: name}
	for _, c := range conditions {
		s.Conditions = append(s.Conditions, notify.Condition(c))
	}
	return s
}
