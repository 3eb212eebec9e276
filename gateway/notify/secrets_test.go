package notify

import (
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// secretly is what no text may have, in URLs of tests.
var secretly = regexp.MustCompile(`(?i)hush|aHVzaC|aaaaaaaa|12345678`)

// TestNoSecretIsShown: whatever a service does, neither the log, nor an error, nor the
// answer of the test, nor the condition shows more than its name and its host.
func TestNoSecretIsShown(t *testing.T) {
	refusing := newReceiver(t)
	refusing.answer(http.StatusForbidden)
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed at once: nobody answers there
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	l.Close()
	var urls []string
	for _, host := range []string{refusing.host, closed} {
		urls = append(
			urls,
			"generic+http://hush-user:hush-password@"+host+"/hush-path?hushkey=hush%20value&@Authorization=hush-header",
			"ntfy://hush-user:hush-password@"+host+"/hush-topic?scheme=http",
			"signed+http://"+host+"/hush/path?token=hush",
			"matrix://hush-user:hush-password@"+host+"/?rooms=hush-room&disableTLS=yes",
			"gotify://"+host+"/Ahushhush.hush1?disabletls=yes",
			"mattermost://hush-user@"+host+"/hush-token/hush-channel?disabletls=yes",
			"rocketchat://hush-user@"+host+"/hush-token/hush-tokenb?disabletls=yes",
		)
	}
	urls = append(urls, "smtp://hush-user:hush-password@"+closed+"/?from=hush@hush.test&to=hush@hush.test&encryption=none&starttls=no")
	var log safeText
	n, err := New(Options{URLs: urls, Secret: "hush-hmac", Heartbeat: "http://hush:hush@" + closed + "/hush", Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	n.pulse.streak.note(n.pulse.beat(t.Context()))
	for i, r := range n.Test(t.Context()) {
		t.Log(r.Service, "·", r.Error)
		if secretly.MatchString(r.Service + r.Error) {
			t.Errorf("%s answered %+v", urls[i], r)
		}
		if r.Error == "" {
			t.Errorf("%s took it", urls[i])
		}
		if err := Check(urls[i], "hush-hmac"); err != nil {
			t.Errorf("%s: %v", urls[i], err)
		}
	}
	for _, f := range n.Failures() {
		if secretly.MatchString(f.Service + f.Error) {
			t.Errorf("failure %+v", f)
		}
	}
	if c := n.Condition(); c.Status || secretly.MatchString(c.Message) {
		t.Errorf("condition %+v", c)
	}
	if text := log.String(); secretly.MatchString(text) || strings.Count(text, "WARN") != len(urls)+1 {
		t.Errorf("logged\n%s", text)
	}
}

// TestHider: services make URLs of their own of what they are given.
func TestHider(t *testing.T) {
	h := newHider("telegram://12345:Secret@telegram?chats=1", &url.URL{Scheme: "telegram", User: url.UserPassword("12345", "Secret"), Host: "telegram"}, "telegram")
	text := `telegram: Post "https://api.telegram.test/botX/sendMessage": token secret of 12345 (Basic MTIzNDU6U2VjcmV0) is old`
	if got, want := h.text(text), `telegram: Post "[hidden]": token [hidden] of [hidden] (Basic [hidden]) is old`; got != want {
		t.Errorf("%s, not %s", got, want)
	}
}

// TestCheck: what can not be a service's URL is refused, and never shown.
func TestCheck(t *testing.T) {
	for url, says := range map[string]string{
		"":                        "not a URL such as",
		"hush":                    "not a URL such as",
		"12345678:hush-aaaaaaaa":  "not a URL such as",
		"ntfy://hush\x7f/%zz":     "not a URL such as",
		"hush:aaaaaaaa":           "names no service; there are bark, discord, generic,",
		"hush://aaaaaaaa":         "names no service",
		"hush+https:aaaaaaaa":     "names no service",
		"logger://":               "names no service",
		"signed://hush.test/hush": "a signed webhook is signed+https://HOST/PATH",
		"ntfy+https://hush.test/": "ntfy takes no URL with a +",
		"ntfy://ntfy.sh/":         "topic is required",
		"telegram://12345678:aaaaaaaa@telegram?chats=hush": "",
		"telegram://hush@telegram?chats=1":                 "invalid",
		"slack://hush":                                     "",
		"discord://hush":                                   "",
		"pushover://hush":                                  "",
		"matrix://:hush@":                                  "it names no host",
		"smtp://hush:hush@mail.test/?hush=hush":            "",
	} {
		err := Check(url, "secret")
		switch {
		case err == nil && says != "":
			t.Errorf("%q is taken", url)
		case err != nil && (secretly.MatchString(err.Error()) || !strings.Contains(err.Error(), says)):
			t.Errorf("%q: %v", url, err)
		}
		t.Logf("%q: %v", url, err)
	}
	if err := Check("signed+https://hook.test/hush", ""); err == nil || err.Error() != "a signed webhook needs notify.webhook_secret" {
		t.Error(err)
	}
	for _, url := range []string{"hush", "ftp://hush.test/", "https://"} {
		if err := CheckHeartbeat(url); err == nil || secretly.MatchString(err.Error()) {
			t.Errorf("%q: %v", url, err)
		}
	}
	for _, good := range []string{
		"telegram://12345678:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@telegram?chats=@channel", "discord://token@12345678",
		"slack://hook:AAAAAAAAA-BBBBBBBBB-123456789123456789123456@webhook", "ntfy://ntfy.sh/topic", "https://x",
		"smtp://user:password@mail.test:587/?from=a@b.test&to=c@d.test", "matrix://:token@matrix.test/?rooms=!a:matrix.test",
		"generic://hook.test/a?template=json", "gotify://gotify.test/AzyoeNS.D4iJLVa", "signed+https://hook.test/",
	} {
		if err := Check(good, "secret"); (err == nil) == (good == "https://x") {
			t.Errorf("%s: %v", good, err)
		}
	}
}

// TestLabels: a host that is a token is not shown.
func TestLabels(t *testing.T) {
	for url, want := range map[string]string{
		"ntfy://u:p@ntfy.sh/hush":                  "ntfy ntfy.sh",
		"smtp://u:p@mail.test:587/?from=a&to=b":    "smtp mail.test:587",
		"pushbullet://aaaaaaaa":                    "pushbullet",
		"discord://aaaaaaaa@12345678":              "discord",
		"slack+https://hooks.slack.com/T1111/c3c3": "slack hooks.slack.com",
		"generic+https://u:p@hook.test/hush":       "generic hook.test",
		"signed+https://hook.test:8443/hush":       "signed hook.test:8443",
	} {
		s, err := openService(url, "secret")
		if err != nil || s.label != want {
			t.Errorf("%s: %+v, %v", url, s, err)
		}
	}
}
