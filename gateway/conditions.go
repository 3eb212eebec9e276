package gateway

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"sluice/gateway/migrate"
	"sluice/gateway/notify"
	"sluice/tls"
)

// conditions are those of the gateway itself, and of the stores in use.
func (g *Gateway) conditions() []migrate.Condition {
	list := g.ownConditions()
	for _, name := range slices.Sorted(maps.Keys(g.inUse())) {
		list = append(list, g.stores[name].reach.condition("store "+name))
	}
	return list
}

func (g *Gateway) ownConditions() []migrate.Condition {
	list := []migrate.Condition{}
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

// openNotifier prepares to tell operators of trouble.
func (g *Gateway) openNotifier() (err error) {
	c := g.config.Notify
	g.notifier, err = notify.New(notify.Options{
		URLs: c.URLs, Secret: c.WebhookSecret, Heartbeat: c.Heartbeat.URL, Every: time.Duration(c.Heartbeat.Every),
		Repeat: time.Duration(c.Repeat), Subjects: g.subjects, Log: g.log,
	})
	return err
}

// subjects are all that operators can be told of.
func (g *Gateway) subjects() []notify.Subject {
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
