package gateway

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"sluice/gateway/migrate"
	"sluice/gateway/notify"
	"sluice/tls"
)

// conditions are those of the gateway itself, and of the stores in use.
func (g *gate) conditions() []migrate.Condition {
	list := g.ownConditions()
	for _, name := range slices.Sorted(maps.Keys(g.inUse())) {
		list = append(list, g.stores[name].reach.condition(ofStore+name))
	}
	return list
}

// certificatesHeld is the condition that every name has a certificate.
const certificatesHeld = "certificates"

func (g *gate) ownConditions() []migrate.Condition {
	list := g.reloads.conditions()
	if g.certificates.Mode() != tls.Off {
		h := g.certificates.Health()
		message := h.Message
		if h.OK {
			message = fmt.Sprintf("%d are held", len(g.certificates.Certificates()))
		}
		list = append(list, migrate.Condition{Type: certificatesHeld, Status: h.OK, Message: message, Since: h.Since})
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

// look looks at all that operators can be told of; what changed since the last look is an
// event. The notifier in force looks every few seconds, and nobody else does.
func (g *gate) look() []notify.Subject {
	statuses := g.status()
	list := []notify.Subject{subject(ofGateway, g.ownConditions())}
	for name := range g.inUse() {
		list = append(list, subject(ofStore+name, []migrate.Condition{g.stores[name].reach.condition(notify.StoreAnswers)}))
	}
	for _, s := range statuses {
		list = append(list, subject(ofBucket+s.Bucket, s.Conditions))
	}
	g.changes.see(time.Now(), list, statuses, g.certificates.Certificates(), g.events.Add)
	return list
}

// What subjects are called.
const (
	ofGateway = "gateway"
	ofStore   = "store "
	ofBucket  = "bucket "
)

func subject(name string, conditions []migrate.Condition) notify.Subject {
	s := notify.Subject{Name: name}
	for _, c := range conditions {
		s.Conditions = append(s.Conditions, notify.Condition(c))
	}
	return s
}
