package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"sluice/gateway/migrate"
	"sluice/gateway/trace"
)

// followTrace sends requests as they end: those that all of the query's bucket, op, prefix
// (of the key), status (404, 5xx), slower (500ms) and errors (true: 400 and above, or broken
// off) let through. What came faster than it was taken is left out, and counted: an event
// "missed" with a TraceMissed.
func (c Control) followTrace(w http.ResponseWriter, r *http.Request) error {
	filter, err := filterOf(r.URL.Query())
	if err != nil {
		return fmt.Errorf("%w: %w", migrate.ErrInvalid, err)
	}
	t, err := c.Traces.Look(filter)
	if err != nil {
		return err
	}
	defer t.Close()
	s := newStream(w)
	if s.beat() != nil { // it is known that it has begun
		return nil
	}
	beats := time.NewTicker(beatEvery)
	defer beats.Stop()
	for err := error(nil); err == nil; {
		select {
		case record := <-t.Next():
			err = s.send(0, "request", record)
		case <-beats.C:
			err = s.beat()
		case <-r.Context().Done():
			return nil
		}
		if n := t.Missed(); n > 0 && err == nil {
			err = s.send(0, "missed", TraceMissed{n})
		}
	}
	return nil
}

// TraceMissed counts the requests that were left out.
type TraceMissed struct {
	Missed int64 `json:"missed"`
}

func filterOf(query url.Values) (f trace.Filter, err error) {
	f = trace.Filter{
		Bucket: query.Get("bucket"), Operation: query.Get("op"), Prefix: query.Get("prefix"), Status: query.Get("status"),
	}
	if s := query.Get("slower"); s != "" {
		if f.Slower, err = time.ParseDuration(s); err != nil {
			return f, fmt.Errorf("slower: %w", err)
		}
	}
	if s := query.Get("errors"); s != "" {
		if f.Errors, err = strconv.ParseBool(s); err != nil {
			return f, fmt.Errorf("errors is true or false, not %q", s)
		}
	}
	return f, f.Check()
}

// Trace calls take with the requests that end and pass the filter, and missed with how many
// were left out, until the gateway ends or one of them fails.
func (c *Client) Trace(ctx context.Context, f trace.Filter, take func(trace.Record) error, missed func(int64) error) error {
	query := url.Values{
		"bucket": {f.Bucket}, "op": {f.Operation}, "prefix": {f.Prefix}, "status": {f.Status},
		"slower": {f.Slower.String()}, "errors": {strconv.FormatBool(f.Errors)},
	}
	resp, err := c.send(ctx, http.MethodGet, "/v1/trace?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return readStream(resp.Body, func(event string, data []byte) error {
		if event == "missed" {
			var m TraceMissed
			if err := json.Unmarshal(data, &m); err != nil {
				return err
			}
			return missed(m.Missed)
		}
		var r trace.Record
		if err := json.Unmarshal(data, &r); err != nil {
			return err
		}
		return take(r)
	})
}
