package config

import (
	"fmt"
	"maps"
	"slices"

	"github.com/goccy/go-yaml"
)

// hidden stands for a secret.
const hidden = "(hidden)"

func hide(secret *string) {
	if *secret != "" {
		*secret = hidden
	}
}

// Show is the whole configuration as it is in force, with its defaults and without its
// secrets, in YAML.
func (c Config) Show() ([]byte, error) {
	c.Stores, c.Hosts, c.Credentials = maps.Clone(c.Stores), maps.Clone(c.Hosts), slices.Clone(c.Credentials)
	for name, s := range c.Stores {
		hide(&s.SecretAccessKey)
		hide(&s.SessionToken)
		c.Stores[name] = s
	}
	for name, h := range c.Hosts {
		hide(&h.Purge.Secret)
		c.Hosts[name] = h
	}
	for i := range c.Credentials {
		hide(&c.Credentials[i].SecretAccessKey)
		hide(&c.Credentials[i].SessionToken)
	}
	c.Notify.URLs = slices.Clone(c.Notify.URLs)
	for i := range c.Notify.URLs {
		hide(&c.Notify.URLs[i])
	}
	hide(&c.Notify.WebhookSecret)
	hide(&c.Notify.Heartbeat.URL)
	hide(&c.TLS.ACME.EAB.Key)
	c.TLS.DNS = maps.Clone(c.TLS.DNS)
	for setting, value := range c.TLS.DNS {
		if setting != "provider" && setting != "resolvers" { // which of a provider's are secret it alone knows
			hide(&value)
			c.TLS.DNS[setting] = value
		}
	}
	raw, err := yaml.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("the configuration: %w", err)
	}
	return raw, nil
}
