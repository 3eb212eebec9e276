package s3api

import (
	"net/http"
	"strings"
	"time"
)

// Conditions are the conditions of a read (RFC 9110, section 13.1). The zero
// value asks nothing.
type Conditions struct {
	IfMatch           string // as sent: "*" or a list of entity tags
	IfNoneMatch       string
	IfModifiedSince   time.Time
	IfUnmodifiedSince time.Time
	IfRange           string // one entity tag or a date; see KeepRange
}

func conditions(h http.Header) Conditions {
	return Conditions{
		IfMatch:           strings.Join(h["If-Match"], ","),
		IfNoneMatch:       strings.Join(h["If-None-Match"], ","),
		IfModifiedSince:   date(h, "If-Modified-Since"),
		IfUnmodifiedSince: date(h, "If-Unmodified-Since"),
		IfRange:           first(h, "If-Range"),
	}
}

// date reads an HTTP date; one that is none counts as not sent, as RFC 9110 asks.
func date(h http.Header, name string) time.Time {
	value := first(h, name)
	if value == "" {
		return time.Time{}
	}
	t, err := http.ParseTime(value)
	if err != nil {
		return time.Time{}
	}
	return t
}

// first is h.Get for a name that is canonical already.
func first(h http.Header, name string) string {
	if values := h[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// Check holds the conditions against the object as it is: nil, PreconditionFailed
// (412) or NotModified (304). The order is RFC 9110's (section 13.2.2), which is
// S3's: an entity tag condition replaces the date condition of its pair, and a
// 412 goes before a 304. etag is without quotes.
func (c Conditions) Check(etag string, modified time.Time) error {
	modified = modified.Truncate(time.Second) // dates in headers have no more
	switch {
	case c.IfMatch != "":
		if !matches(c.IfMatch, etag, false) {
			return ErrorFor("PreconditionFailed", "")
		}
	case !c.IfUnmodifiedSince.IsZero() && modified.After(c.IfUnmodifiedSince):
		return ErrorFor("PreconditionFailed", "")
	}
	switch {
	case c.IfNoneMatch != "":
		if matches(c.IfNoneMatch, etag, true) {
			return ErrorFor("NotModified", "")
		}
	case !c.IfModifiedSince.IsZero() && !modified.After(c.IfModifiedSince):
		return ErrorFor("NotModified", "")
	}
	return nil
}

// KeepRange tells whether If-Range lets the Range stand (RFC 9110, section
// 13.1.5). If not, the whole object must be answered: a client would else join
// the halves of two objects.
func (c Conditions) KeepRange(etag string, modified time.Time) bool {
	if c.IfRange == "" {
		return true
	}
	if t, err := http.ParseTime(c.IfRange); err == nil {
		return modified.Truncate(time.Second).Equal(t)
	}
	return matches(c.IfRange, etag, false)
}

// matches tells whether a list of entity tags names etag. Tags without quotes
// are read too, as S3 does. Strong comparison never matches a weak tag.
func matches(list, etag string, weak bool) bool {
	for tag := range strings.SplitSeq(list, ",") {
		tag = strings.TrimSpace(tag)
		if tag == "*" {
			return true
		}
		strong, isWeak := strings.CutPrefix(tag, "W/")
		if (weak || !isWeak) && unquote(strong) == etag {
			return true
		}
	}
	return false
}

// unquote takes the quotes off an entity tag that has them.
func unquote(tag string) string {
	if len(tag) >= 2 && tag[0] == '"' && tag[len(tag)-1] == '"' {
		return tag[1 : len(tag)-1]
	}
	return tag
}
