package setup

import (
	"fmt"
	"strings"
)

// Change is what becomes of one of the application's settings.
type Change struct{ Name, From, To string }

func (c Change) String() string {
	switch {
	case c.From == "":
		return fmt.Sprintf("add     %s=%s", c.Name, c.To)
	case c.To == "":
		return fmt.Sprintf("remove  %s=%s", c.Name, c.From)
	}
	return fmt.Sprintf("change  %s=%s  →  %[1]s=%[3]s", c.Name, c.From, c.To)
}

// Changes are all that a Mastodon needs to use Sluice; nil for any other application.
func (a *Answers) Changes() []Change {
	if a.mastodon == nil {
		return nil
	}
	now := a.mastodon.settings
	list := []Change{{"S3_ENDPOINT", now["S3_ENDPOINT"], a.Endpoint}}
	if now["S3_BUCKET"] != a.Bucket {
		list = append(list, Change{"S3_BUCKET", now["S3_BUCKET"], a.Bucket})
	}
	if now["AWS_ACCESS_KEY_ID"] != a.Old.AccessKeyID {
		list = append(list, Change{"AWS_ACCESS_KEY_ID", now["AWS_ACCESS_KEY_ID"], a.Old.AccessKeyID})
	}
	if v := now["S3_OVERRIDE_PATH_STYLE"]; v == "true" {
		// BUCKET.HOST would need a name, and a certificate, that path style does without.
		list = append(list, Change{"S3_OVERRIDE_PATH_STYLE", v, ""})
	}
	alias := now["S3_ALIAS_HOST"]
	if alias == "" {
		alias = now["S3_CLOUDFRONT_HOST"]
	}
	published := now["S3_HOSTNAME"] + "/" + a.Bucket // what URLs begin with where there is no alias
	if a.PublicHost != alias && (alias != "" || a.PublicHost != published) {
		list = append(list, Change{"S3_ALIAS_HOST", alias, a.PublicHost})
	}
	return list
}

// Next is what is to be done after the configuration was written to a file, a step each.
func (a *Answers) Next(file string) []string {
	serve, doctor := "sluice serve", "sluice doctor"
	if file != "/etc/sluice/sluice.yaml" {
		serve, doctor = serve+" -c "+shell(file), doctor+" -c "+shell(file)
	}
	steps := []string{serve, doctor + "   # now, and after each of the next steps"}
	if names := strings.Join(a.names(), " and "); a.behindProxy() {
		steps = append(steps, "in the proxy in front: pass "+names+" on to http://"+a.reached()+
			", with Host as it came, and X-Forwarded-For and -Proto")
	} else if names != "" {
		steps = append(steps, "let the DNS, or the CDN's origin, lead "+names+" to Sluice")
	}
	if a.mastodon == nil {
		steps = append(steps, fmt.Sprintf("in the application: endpoint %s, path style, bucket %s; region and key pair stay", a.Endpoint, a.Bucket))
	} else {
		var b strings.Builder
		b.WriteString("in .env.production, and then restart web and sidekiq:")
		for _, c := range a.Changes() {
			b.WriteString("\n     " + c.String())
		}
		steps = append(steps, b.String())
	}
	return append(steps, "sluice start "+shell(a.Bucket)+"   # the migration; until then everything is as before")
}

// names are those under which Sluice is reached from outside.
func (a *Answers) names() (list []string) {
	public, _ := a.publicHost()
	for _, name := range []string{a.secureHost(), public} {
		if name != "" {
			list = append(list, name)
		}
	}
	return list
}

// reached is where the proxy finds Sluice.
func (a *Answers) reached() string {
	http, _ := a.listen()
	if strings.HasPrefix(http, ":") {
		return "127.0.0.1" + http
	}
	return http
}

// shell makes a word one word for a shell.
func shell(word string) string {
	if word != "" && !strings.ContainsFunc(word, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+:@", r))
	}) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
