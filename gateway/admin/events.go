package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"sluice/gateway/events"
	"sluice/gateway/migrate"
)

// followEvents sends the events that are kept, then, unless follow is "false", what happens.
// With Last-Event-ID it begins after that event, with bucket it leaves out those of other
// buckets. Who takes them too slowly is let go, and may come again.
func (c Control) followEvents(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	after, err := strconv.ParseInt(r.Header.Get("Last-Event-ID"), 10, 64)
	if err != nil && r.Header.Get("Last-Event-ID") != "" {
		return fmt.Errorf("%w: Last-Event-ID is a number", migrate.ErrInvalid)
	}
	f, err := c.Events.Follow(after)
	if err != nil {
		return err
	}
	defer f.Close()
	s := newStream(w)
	bucket := query.Get("bucket")
	send := func(e events.Event) error {
		if bucket != "" && e.Bucket != "" && e.Bucket != bucket {
			return nil
		}
		return s.send(e.ID, "event", e)
	}
	for _, e := range f.Past {
		if send(e) != nil {
			return nil // the reader is gone
		}
	}
	if query.Get("follow") == "false" || s.beat() != nil {
		return nil
	}
	beats := time.NewTicker(beatEvery)
	defer beats.Stop()
	ending := r.Context().Done()
	for err := error(nil); err == nil; {
		select {
		case e, ok := <-f.Next():
			if !ok {
				return nil
			}
			err = send(e)
		case <-beats.C:
			err = s.beat()
		case <-ending:
			f.Close() // what was told before, the gateway's end for one, is still sent
			ending = nil
		}
	}
	return nil
}

// ordered makes an event of what an operator ordered.
func (c Control) ordered(r *http.Request, bucket, format string, args ...any) {
	c.Events.Add(events.Event{Kind: events.Command, Bucket: bucket, Message: fmt.Sprintf(format, args...), By: who(r.Context())})
}

// Events calls take with what happened, of one bucket and of none, or of all (""), and with
// follow with what happens, until the gateway ends or take fails.
func (c *Client) Events(ctx context.Context, bucket string, follow bool, take func(events.Event) error) error {
	query := url.Values{"bucket": {bucket}, "follow": {strconv.FormatBool(follow)}}
	resp, err := c.send(ctx, http.MethodGet, "/v1/events?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return readStream(resp.Body, func(_ string, data []byte) error {
		var e events.Event
		if err := json.Unmarshal(data, &e); err != nil {
			return err
		}
		return take(e)
	})
}
