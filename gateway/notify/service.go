package notify

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/nicholas-fedor/shoutrrr/pkg/router"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/matrix"
	"github.com/nicholas-fedor/shoutrrr/pkg/types"
)

// service is where one URL leads.
type service struct {
	label string // its name and, where that is no secret, its host
	hide  *hider
	sender
}

// sender sends one message. It need not heed ctx.
type sender interface {
	send(ctx context.Context, m Message) error
}

// servers are the services in whose URLs the host is a server's name. In the others it is
// a token, or nothing.
var servers = []string{
	"bark", "generic", "gotify", "lark", "matrix", "mattermost", "ntfy", "opsgenie", "rocketchat", "signal", "smtp", "zulip",
}

// Check says what is wrong with a service's URL, and shows nothing of it that may be
// secret. It connects to nothing.
func Check(raw, secret string) error {
	s, err := openService(raw, secret)
	if err != nil {
		return err
	}
	if m, ok := s.sender.(*messenger); ok {
		if err := m.check(); err != nil {
			return s.hide.error(err)
		}
	}
	return nil
}

func openService(raw, secret string) (*service, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme == "" {
		return nil, errors.New("it is not a URL such as ntfy://ntfy.sh/TOPIC or smtp://USER:PASSWORD@HOST:587/?from=A&to=B")
	}
	name, web, custom := strings.Cut(u.Scheme, "+")
	if known := names(); !slices.Contains(known, name) {
		return nil, fmt.Errorf("it names no service; there are %s", strings.Join(known, ", "))
	}
	label, show := name, []string{name}
	if custom && strings.HasPrefix(web, "http") || slices.Contains(servers, name) {
		if u.Host == "" {
			return nil, fmt.Errorf("it names no host: %s://HOST/…", name)
		}
		label += " " + u.Host
		show = append(show, u.Host)
	}
	s := &service{label: label, hide: newHider(raw, u, show...)}
	if name == signedScheme {
		s.sender, err = newSigned(u, web, secret)
		return s, err
	}
	s.sender = newMessenger(name, raw)
	return s, nil
}

// names are the services' that there are.
func names() []string {
	list := append((&router.ServiceRouter{}).ListServices(), signedScheme)
	list = slices.DeleteFunc(list, func(name string) bool { return name == "logger" }) // reaches nobody
	slices.Sort(list)
	return list
}

// send sends a message; its errors can be shown.
func (s *service) send(ctx context.Context, m Message) error {
	return s.hide.error(s.sender.send(ctx, m))
}

// maxHanging bounds the sends of one service that were given up and have not ended.
const maxHanging = 3

// messenger sends by a service of shoutrrr. Those know no contexts, and some have no
// timeout. So a send that does not end in time is left behind, and with it the service's
// state, since that must not be used by two; few may hang so at once.
type messenger struct {
	name, url string
	slots     chan struct{}
	idle      chan types.Service // one, or none
}

func newMessenger(name, raw string) *messenger {
	return &messenger{name, raw, make(chan struct{}, 1+maxHanging), make(chan types.Service, 1)}
}

func (s *messenger) send(ctx context.Context, m Message) error {
	select {
	case s.slots <- struct{}{}:
	default:
		return fmt.Errorf("%s have had no answer yet", count(cap(s.slots), "earlier message"))
	}
	ended := make(chan error, 1)
	go func() {
		defer func() { <-s.slots }()
		ended <- s.talk(m)
	}()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// titled have a place of their own for the headline.
var titled = []string{"bark", "gotify", "join", "ntfy", "pushbullet", "pushover", "smtp"}

// talk sends, for as long as that takes.
func (s *messenger) talk(m Message) (err error) {
	defer func() {
		if cause := recover(); cause != nil { // it must not take the gateway along
			err = fmt.Errorf("the service's code failed: %v", cause)
		}
	}()
	var to types.Service
	select {
	case to = <-s.idle:
	default:
		if to, err = s.open(); err != nil {
			return err
		}
	}
	text, params := m.Headline()+"\n"+m.Text(), types.Params{}
	if slices.Contains(titled, s.name) {
		text, params = m.Text(), types.Params{"title": m.Headline()}
	}
	if err = to.Send(text, &params); err != nil {
		return err
	}
	select {
	case s.idle <- to:
	default:
	}
	return nil
}

// open makes the service ready. Matrix logs in by this.
func (s *messenger) open() (types.Service, error) {
	to, u, err := s.locate()
	if err != nil {
		return nil, err
	}
	return to, to.Initialize(u, nil)
}

// check looks at the URL as open does, but connects to nothing.
func (s *messenger) check() (err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("it is not complete")
		}
	}()
	to, u, err := s.locate()
	switch {
	case err != nil:
		return err
	case s.name == matrix.Scheme:
		return (&matrix.Config{}).SetURL(u)
	}
	return to.Initialize(u, nil)
}

func (s *messenger) locate() (types.Service, *url.URL, error) {
	u, err := url.Parse(s.url)
	if err != nil {
		return nil, nil, err
	}
	to, err := (&router.ServiceRouter{}).NewService(s.name)
	if err != nil || u.Scheme == s.name {
		return to, u, err
	}
	by, ok := to.(types.CustomURLService)
	if !ok {
		return nil, nil, fmt.Errorf("%s takes no URL with a + in its scheme", s.name)
	}
	u, err = by.GetConfigURLFromCustom(u)
	return to, u, err
}
