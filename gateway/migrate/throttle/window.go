package throttle

import (
	"strings"
	"time"
)

// window is a part of every day, in minutes since midnight: from is in it, to is not.
// One with to before from goes past midnight.
type window struct{ from, to int }

func (w window) contains(t time.Time) bool {
	now := minutes(t)
	if w.from < w.to {
		return w.from <= now && now < w.to
	}
	return w.from <= now || now < w.to
}

func minutes(t time.Time) int { return t.Hour()*60 + t.Minute() }

func parseWindow(text string) (w window, ok bool) {
	from, to, _ := strings.Cut(text, "-")
	start, err := time.Parse("15:04", from)
	if err != nil {
		return w, false
	}
	w.from = minutes(start)
	if to == "24:00" {
		w.to = 24 * 60
		return w, true
	}
	end, err := time.Parse("15:04", to)
	w.to = minutes(end)
	return w, err == nil && w.from != w.to
}
