package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"sluice/gateway/migrate"
)

// state says in a few words where a bucket is, and what holds its background work back.
func state(s migrate.Status) string {
	words := fmt.Sprintf("%s: %s, %s pending", s.Bucket, s.Name, count(int64(s.Pending), "write"))
	if c := condition(s, "paused"); c.Status {
		words += ", paused" + because(c)
	}
	if c := condition(s, "throttled"); c.Status {
		words += ", throttled" + because(c)
	}
	return words
}

func because(c migrate.Condition) string {
	if c.Message == "" {
		return ""
	}
	return ": " + c.Message
}

// activity is a crawl or a verification.
type activity struct {
	name     string
	progress *migrate.Progress
}

func (r activity) String() string { return r.name + " " + string(r.progress.State) }

func runs(s migrate.Status) (list []activity) {
	if s.Backfill != nil {
		list = append(list, activity{"backfill", s.Backfill})
	}
	if s.Verify != nil {
		list = append(list, activity{"verify " + string(s.Verify.Level), s.Verify})
	}
	return list
}

func ended(p *migrate.Progress) bool {
	return p.State == migrate.Finished || p.State == migrate.Stopped
}

// fraction is how much is done, of 1, by bytes where there are any. It is not known
// before everything is counted.
func fraction(p *migrate.Progress) (done float64, known bool) {
	part, whole := p.Done.Bytes, p.Total.Bytes
	if whole == 0 {
		part, whole = p.Done.Objects, p.Total.Objects
	}
	if !p.Counted || whole == 0 {
		return 0, false
	}
	return min(float64(part)/float64(whole), 1), true
}

func percent(p *migrate.Progress) string {
	done, _ := fraction(p)
	return fmt.Sprintf("%d %%", int(done*100)) // cut, not rounded: 100 % is the end
}

// figures tells how far a run is and how fast.
func figures(p *migrate.Progress) string {
	soFar := ""
	if !p.Counted {
		soFar = " counted so far"
	}
	words := []string{fmt.Sprintf("%s of %s, %s of %s%s", humanize.Comma(p.Done.Objects), count(p.Total.Objects, "object"),
		size(p.Done.Bytes), size(p.Total.Bytes), soFar)}
	if p.State == migrate.Running {
		words = append(words, fmt.Sprintf("%.0f objects/s, %s/s", p.Rate.Objects, size(int64(p.Rate.Bytes))))
	}
	if p.Remaining > 0 {
		words = append(words, p.Remaining.Round(time.Second).String()+" left")
	}
	if p.Failed > 0 {
		words = append(words, humanize.Comma(p.Failed)+" failed")
	}
	return strings.Join(words, ", ")
}

func size(bytes int64) string { return humanize.IBytes(uint64(max(bytes, 0))) }

// count is a number of things: "1 object", "2,000 objects".
func count(n int64, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return humanize.Comma(n) + " " + thing
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04 UTC")
}
