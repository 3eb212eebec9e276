package memory

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"sluice/backends"
)

// attributes are what an object has beside its content.
type attributes struct {
	header http.Header // what describes it: type, metadata, …
	class  string      // the storage class
	tags   []tag
	acl    string // a document
}

type tag struct{ Key, Value string }

const (
	standard     = "STANDARD"
	storageClass = "X-Amz-Storage-Class"
	redirect     = "X-Amz-Website-Redirect-Location"

	longestKey = 1024
)

// classes are the storage classes from which an object can be read at once.
var classes = []string{standard, "STANDARD_IA", "ONEZONE_IA", "REDUCED_REDUNDANCY", "INTELLIGENT_TIERING", "GLACIER_IR"}

// unknownHeaders change what a write means in ways the store does not know: leaving
// them out would be to obey another request.
var unknownHeaders = []string{
	"If-", "X-Amz-If-", "X-Amz-Grant-", "X-Amz-Object-Lock-",
	"X-Amz-Server-Side-Encryption", "X-Amz-Copy-Source-Server-Side-Encryption", "X-Amz-Write-Offset",
}

// known refuses a header with one of them.
func (c call) known(h http.Header) error {
	for _, name := range slices.Sorted(maps.Keys(h)) {
		if slices.ContainsFunc(unknownHeaders, func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
			return c.refuse("NotImplemented", backends.Detail{Name: "Header", Value: name})
		}
	}
	return nil
}

// attributes reads those of a new object from the header that asks for it.
func (c call) attributes(h http.Header) (attributes, error) {
	if len(c.key) > longestKey {
		return attributes{}, c.refuse("KeyTooLongError")
	}
	if err := c.known(h); err != nil {
		return attributes{}, err
	}
	a := attributes{header: make(http.Header), class: cmp.Or(h.Get(storageClass), standard)}
	if !slices.Contains(classes, a.class) {
		return attributes{}, c.refuse("InvalidStorageClass")
	}
	for name, values := range h {
		if describes(name) {
			a.header[name] = slices.Clone(values)
		}
	}
	if a.header.Get("Content-Type") == "" {
		a.header.Set("Content-Type", "binary/octet-stream")
	}
	var err error
	if a.tags, err = c.headerTags(h.Get("X-Amz-Tagging")); err != nil {
		return attributes{}, err
	}
	a.acl, err = c.cannedDocument(cmp.Or(h.Get("X-Amz-Acl"), "private"))
	return a, err
}

// describes picks the headers that come back with the object as they were sent.
func describes(name string) bool {
	switch name {
	case "Content-Type", "Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Expires", redirect:
		return true
	}
	return strings.HasPrefix(name, "X-Amz-Meta-")
}

// headerTags reads tags from their form in a header.
func (c call) headerTags(text string) ([]tag, error) {
	values, err := url.ParseQuery(text)
	if err != nil {
		return nil, c.refuse("InvalidArgument", backends.Detail{Name: "ArgumentName", Value: "x-amz-tagging"})
	}
	var tags []tag
	for _, key := range slices.Sorted(maps.Keys(values)) {
		for _, value := range values[key] {
			tags = append(tags, tag{key, value})
		}
	}
	return tags, c.validTags(tags)
}

// validTags holds tags against the rules of S3
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html).
func (c call) validTags(tags []tag) error {
	seen := make(map[string]bool)
	for _, t := range tags {
		if t.Key == "" || len([]rune(t.Key)) > 128 || len([]rune(t.Value)) > 256 || seen[t.Key] || len(tags) > 10 {
			return c.refuse("InvalidTag")
		}
		seen[t.Key] = true
	}
	return nil
}

// describe is an object's header in an answer, with nothing that the answer's owner
// may not change.
func (a attributes) describe() http.Header {
	h := a.header.Clone()
	if a.class != standard {
		h.Set(storageClass, a.class)
	}
	if len(a.tags) > 0 {
		h.Set("X-Amz-Tagging-Count", strconv.Itoa(len(a.tags)))
	}
	return h
}
