package quirky

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"sluice/backends"
)

// newObject makes an object of a request's header and a body.
func newObject(h http.Header, body []byte) *object {
	o := &object{body: body, header: make(http.Header), acl: h.Get("X-Amz-Acl"), modified: time.Now()}
	for name, values := range h {
		switch name {
		case "Content-Type", "Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Expires":
			o.header[name] = values
		default:
			if strings.HasPrefix(name, "X-Amz-Meta-") || name == "X-Amz-Storage-Class" {
				o.header[name] = values
			}
		}
	}
	o.tags, _ = url.ParseQuery(h.Get("X-Amz-Tagging"))
	return o
}

// etag is the hash of a body as the store has ETags.
func (s *Server) etag(body []byte) string {
	if s.quirks.OddETags {
		sum := sha256.Sum256(append([]byte("odd"), body...))
		return hex.EncodeToString(sum[:16])
	}
	sum := md5.Sum(body)
	return hex.EncodeToString(sum[:])
}

// mayReplace judges the conditions of a write.
func (s *Server) mayReplace(h http.Header, key string) *refusal {
	if s.quirks.IgnoreConditions {
		return nil
	}
	o, match := s.objects[key], h.Get("If-Match")
	if h.Get("If-None-Match") == "*" && o != nil || match != "" && (o == nil || match != quoted(o.etag)) {
		return &refusal{http.StatusPreconditionFailed, "PreconditionFailed"}
	}
	return nil
}

func quoted(etag string) string { return `"` + etag + `"` }

func (s *Server) put(w http.ResponseWriter, r *http.Request, key string, body []byte) *refusal {
	if no := s.mayReplace(r.Header, key); no != nil {
		return no
	}
	if limit := s.quirks.LargestPut; limit > 0 && int64(len(body)) > limit {
		return invalid("EntityTooLarge")
	}
	sums, no := s.checked(r.Header, body)
	if no != nil {
		return no
	}
	o := newObject(r.Header, body)
	o.etag, o.sums = s.etag(body), sums
	s.objects[key] = o
	maps.Copy(w.Header(), sums)
	w.Header().Set("ETag", quoted(o.etag))
	return nil
}

func (s *Server) copy(w http.ResponseWriter, r *http.Request, key string) *refusal {
	from, _ := url.PathUnescape(r.Header.Get("X-Amz-Copy-Source"))
	_, source, _ := strings.Cut(strings.TrimPrefix(from, "/"), "/")
	o := s.objects[source]
	if o == nil {
		return noSuchKey
	}
	copied := *o
	if r.Header.Get("X-Amz-Metadata-Directive") == "REPLACE" {
		copied = *newObject(r.Header, o.body)
		copied.sums, copied.tags = o.sums, o.tags
	}
	copied.parts, copied.etag, copied.acl, copied.modified = nil, s.etag(o.body), r.Header.Get("X-Amz-Acl"), time.Now()
	s.objects[key] = &copied
	return document(w, "<CopyObjectResult><ETag>%s</ETag><LastModified>%s</LastModified></CopyObjectResult>",
		quoted(copied.etag), copied.modified.UTC().Format(time.RFC3339))
}

func (s *Server) get(w http.ResponseWriter, r *http.Request, key string) *refusal {
	o := s.objects[key]
	if o == nil {
		return noSuchKey
	}
	h := w.Header()
	maps.Copy(h, o.header)
	h.Set("ETag", quoted(o.etag))
	h.Set("Last-Modified", o.modified.UTC().Format(http.TimeFormat))
	if len(o.tags) > 0 {
		h.Set("X-Amz-Tagging-Count", strconv.Itoa(len(o.tags)))
	}
	sums := o.sums
	if number, _ := strconv.Atoi(r.URL.Query().Get("partNumber")); number > 0 && !s.quirks.NoPartReads {
		if number > max(len(o.parts), 1) {
			return &refusal{http.StatusRequestedRangeNotSatisfiable, "InvalidPartNumber"}
		}
		if len(o.parts) > 0 {
			start := 0
			for _, p := range o.parts[:number-1] {
				start += len(p.body)
			}
			r.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", start, start+len(o.parts[number-1].body)-1))
			sums = o.parts[number-1].sums
			h.Set("X-Amz-Mp-Parts-Count", strconv.Itoa(len(o.parts)))
		}
	}
	if r.Header.Get("X-Amz-Checksum-Mode") == "ENABLED" {
		maps.Copy(h, sums)
	}
	http.ServeContent(w, r, "", o.modified, strings.NewReader(string(o.body)))
	if r.Method == http.MethodHead && h.Get("Content-Length") == "" { // left out with a Content-Encoding
		h.Set("Content-Length", strconv.Itoa(len(o.body)))
	}
	return nil
}

func (s *Server) deleteMany(w http.ResponseWriter, body []byte) *refusal {
	var asked struct {
		Object []struct{ Key string }
	}
	if xml.Unmarshal(body, &asked) != nil {
		return invalid("MalformedXML")
	}
	for _, o := range asked.Object {
		delete(s.objects, o.Key)
	}
	return document(w, "<DeleteResult></DeleteResult>")
}

func (s *Server) acl(w http.ResponseWriter, r *http.Request, key string) *refusal {
	o := s.objects[key]
	switch {
	case o == nil:
		return noSuchKey
	case r.Method == http.MethodPut:
		o.acl = r.Header.Get("X-Amz-Acl")
		return nil
	}
	canned := o.acl
	if s.quirks.ForgetACLs {
		canned = "private"
	}
	return document(w, "%s", backends.ACLDocument("owner", canned))
}

type taggingXML struct {
	XMLName xml.Name `xml:"Tagging"`
	Tags    []tagXML `xml:"TagSet>Tag"`
}

type tagXML struct{ Key, Value string }

func (s *Server) tagging(w http.ResponseWriter, r *http.Request, key string, body []byte) *refusal {
	o := s.objects[key]
	if o == nil {
		return noSuchKey
	}
	var set taggingXML
	switch r.Method {
	case http.MethodDelete:
		o.tags = nil
		w.WriteHeader(http.StatusNoContent)
		return nil
	case http.MethodPut:
		if xml.Unmarshal(body, &set) != nil {
			return invalid("MalformedXML")
		}
		o.tags = make(url.Values)
		for _, t := range set.Tags {
			o.tags.Set(t.Key, t.Value)
		}
		return nil
	}
	for name := range o.tags {
		set.Tags = append(set.Tags, tagXML{name, o.tags.Get(name)})
	}
	raw, _ := xml.Marshal(set)
	return document(w, "%s", raw)
}

// document answers XML.
func document(w http.ResponseWriter, format string, values ...any) *refusal {
	w.Header().Set("Content-Type", "application/xml")
	_, _ = fmt.Fprintf(w, format, values...)
	return nil
}
