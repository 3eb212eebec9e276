package gateway

import (
	"fmt"
	"time"

	"sluice/gateway/migrate"
	"sluice/gateway/notify"
	"sluice/tls"
)

// conditions are those of the gateway itself.
func (g *Gateway) conditions() []migrate.Condition {
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
	list := []notify.Subject{subject("gateway", g.conditions())}
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
