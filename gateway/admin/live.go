package admin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"sluice/backends"
	"sluice/gateway/cache"
	"sluice/gateway/migrate"
)

// Live is what the dashboard shows of a second.
type Live struct {
	Time       time.Time           `json:"time"`
	Buckets    []migrate.Status    `json:"buckets"`
	More       int                 `json:"more,omitempty"` // buckets that are left out
	Conditions []migrate.Condition `json:"conditions"`     // of the gateway itself
	Throttle   ThrottleStatus      `json:"throttle"`
	Cache      cache.Stats         `json:"cache"`
	Traffic    Traffic             `json:"traffic"`
}

// Traffic is what went on over the last seconds.
type Traffic struct {
	Seconds float64         `json:"seconds"` // that it was measured over; 0: it is not known yet
	Clients Flow            `json:"clients"`
	Stores  map[string]Flow `json:"stores"` // by name; one that was not asked is not there
}

// Flow is the traffic on one way.
type Flow struct {
	Requests float64 `json:"requests"` // a second
	Errors   float64 `json:"errors"`   // of these, what was of no use to who asked
	// P95 is what 95 % of them took at most, in seconds; 0: there were none.
	P95 float64 `json:"p95"`
}

const (
	maxViewers  = 64
	maxShown    = 200              // buckets
	maxFailures = 10               // of a bucket's run
	viewerTime  = 10 * time.Minute // after which a viewer comes again, and shows a session that still holds
)

// feed tells all viewers the same once a second. Nothing is looked at while there are none.
type feed struct {
	control Control
	viewers chan struct{}

	mu       sync.Mutex
	second   int64 // that document tells of
	document []byte
}

func newFeed(c Control) *feed { return &feed{control: c, viewers: make(chan struct{}, maxViewers)} }

// serve writes a document a second, as server-sent events. Who does not take one in time is
// let go: its browser comes again.
func (f *feed) serve(w http.ResponseWriter, r *http.Request) error {
	select {
	case f.viewers <- struct{}{}:
		defer func() { <-f.viewers }()
	default:
		return fmt.Errorf("%w: %d viewers watch already", backends.ErrUnavailable, maxViewers)
	}
	s := newStream(w)
	for begun := time.Now(); time.Since(begun) < viewerTime; {
		document, err := f.now()
		if err != nil {
			return nil // the answer has begun; what can not be written as JSON is a fault of ours
		}
		if s.write(fmt.Appendf(nil, "retry: 1000\ndata: %s\n\n", document)) != nil {
			return nil
		}
		select {
		case <-r.Context().Done():
			return nil
		case <-time.After(time.Until(time.Now().Truncate(time.Second).Add(time.Second))):
		}
	}
	return nil
}

// now is this second's document.
func (f *feed) now() ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now().UTC()
	if f.second == now.Unix() {
		return f.document, nil
	}
	c := f.control
	live := Live{
		Time: now, Buckets: c.Buckets(), Conditions: c.Conditions(), Throttle: c.throttleStatus(), Cache: c.Cache.Stats(), Traffic: c.Traffic(now),
	}
	if n := len(live.Buckets) - maxShown; n > 0 {
		live.Buckets, live.More = live.Buckets[:maxShown], n
	}
	for _, b := range live.Buckets {
		for _, p := range []*migrate.Progress{b.Backfill, b.Verify} {
			if p != nil {
				p.Failures = p.Failures[:min(len(p.Failures), maxFailures)]
			}
		}
	}
	document, err := json.Marshal(live)
	if err != nil {
		return nil, err
	}
	f.second, f.document = now.Unix(), document
	return document, nil
}
