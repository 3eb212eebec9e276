package differential

import (
	"encoding/xml"
	"net/http"
	"strings"
)

// model is what exists, as the answers of the store itself tell: it makes most
// requests meaningful. It decides nothing about right and wrong.
type model struct {
	objects map[string]object
	uploads []*upload
}

type object struct {
	etag string
	size int
}

type upload struct {
	id    int
	key   string
	parts map[int]string // entity tags
	sizes map[int]int
	done  bool // completed or aborted: kept, to be asked for again
}

// observe learns from the store's answer.
func (m *model) observe(st *step, a *answer) {
	if a.err != nil || a.status >= http.StatusMultipleChoices && st.op != "complete" {
		return
	}
	switch st.op {
	case "put", "copy":
		etag := a.header.Get("Etag")
		if st.op == "copy" {
			etag = resultETag(a)
		}
		m.objects[st.key] = object{etag, len(st.body)}
	case "delete":
		delete(m.objects, st.key)
	case "delete many":
		m.forget(a)
	case "create":
		m.uploads = append(m.uploads, &upload{id: st.uploadID, key: st.key, parts: map[int]string{}, sizes: map[int]int{}})
	case "part", "part copy":
		m.observePart(st, a)
	case "abort", "complete":
		m.observeEnd(st, a)
	}
}

func (m *model) observePart(st *step, a *answer) {
	u := m.upload(st.uploadID)
	if u == nil || u.key != st.key {
		return
	}
	etag := a.header.Get("Etag")
	if st.op == "part copy" {
		etag = resultETag(a)
	}
	u.parts[st.part()], u.sizes[st.part()] = etag, len(st.body)
}

func (m *model) observeEnd(st *step, a *answer) {
	u := m.upload(st.uploadID)
	if u == nil || a.status >= http.StatusMultipleChoices {
		return
	}
	u.done = true
	if etag := resultETag(a); st.op == "complete" && etag != "" {
		m.objects[st.key] = object{etag: etag, size: 100}
	}
}

func (m *model) upload(id int) *upload {
	for _, u := range m.uploads {
		if u.id == id {
			return u
		}
	}
	return nil
}

// forget removes what a DeleteObjects removed.
func (m *model) forget(a *answer) {
	var result struct {
		Deleted []struct{ Key string }
	}
	_ = xml.Unmarshal(a.body, &result)
	for _, d := range result.Deleted {
		delete(m.objects, d.Key)
	}
}

func resultETag(a *answer) string {
	var result struct{ ETag string }
	if xml.Unmarshal(a.body, &result) != nil {
		return ""
	}
	return result.ETag
}

// keys are the objects' names, in order: the generator must not depend on a
// map's.
func (m *model) keys() []string {
	var keys []string
	for _, key := range sorted(m.objects) {
		if !strings.HasPrefix(key, largeKey) {
			keys = append(keys, key)
		}
	}
	return keys
}
