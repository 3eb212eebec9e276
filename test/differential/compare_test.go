package differential

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// difference is what two answers to one request disagree in.
type difference struct {
	what string // a name without values: differences of one name have one cause
	text string
}

// near is how far two dates of the same event may lie apart: the sides are asked
// one after the other.
const near = 5 * time.Second

// compare tells what differs between two answers, less what may.
func compare(st *step, direct, gateway *side, d, g *answer) []difference {
	if d.err != nil || g.err != nil {
		if d.err != nil && g.err != nil {
			return nil
		}
		return []difference{{"connection", fmt.Sprintf("direct: %v, gateway: %v", d.err, g.err)}}
	}
	var all []difference
	differ := func(what, format string, args ...any) {
		all = append(all, difference{what, fmt.Sprintf(format, args...)})
	}
	if d.verdict() != g.verdict() {
		if !mayDifferVerdict(st, d, g) {
			differ("status", "%s, gateway %s", d.verdict(), g.verdict())
		}
		return all // the rest follows from it
	}
	for _, name := range sorted(d.header, g.header) {
		a, b := strings.Join(d.header[name], "\n"), strings.Join(g.header[name], "\n")
		if !equalHeader(name, direct.anonymised(a), gateway.anonymised(b)) && !mayDifferHeader(st, name, d, g) {
			differ("header "+name, "%s: %q, gateway %q", name, a, b)
		}
	}
	if !isXML(d) && !isXML(g) {
		if !bytes.Equal(d.body, g.body) {
			differ("body", "%d bytes %s, gateway %d bytes %s", len(d.body), abridged(string(d.body)), len(g.body), abridged(string(g.body)))
		}
		return all
	}
	return append(all, compareXML(st, direct, gateway, d, g)...)
}

func isXML(a *answer) bool {
	return a.header.Get("Content-Type") == "application/xml" && bytes.HasPrefix(a.body, []byte("<?xml"))
}

func equalHeader(name, a, b string) bool {
	if a == b {
		return true
	}
	switch name {
	case "Last-Modified", "Date":
		x, errX := http.ParseTime(a)
		y, errY := http.ParseTime(b)
		return errX == nil && errY == nil && x.Sub(y).Abs() <= near
	}
	return false
}

// compareXML compares documents by their elements: what S3 clients see.
func compareXML(st *step, direct, gateway *side, d, g *answer) []difference {
	a, errA := readXML(direct.anonymised(string(d.body)))
	b, errB := readXML(gateway.anonymised(string(g.body)))
	if errA != nil || errB != nil {
		return []difference{{"XML", fmt.Sprintf("direct: %v, gateway: %v", errA, errB)}}
	}
	var all []difference
	differ := func(path string, x, y *element) {
		if !mayDifferElement(st, path, x, y) {
			all = append(all, difference{"element " + path, fmt.Sprintf("%s: %s, gateway %s", path, x, y)})
		}
	}
	if a.name != b.name {
		differ(a.name, a, b)
		return all
	}
	diffElements(a.name, a, b, differ)
	return all
}

// element is an XML element. Children of one name keep their order; among
// different names no client looks at it.
type element struct {
	name, text string
	children   []*element
}

func (e *element) String() string {
	if e == nil {
		return "(none)"
	}
	if len(e.children) == 0 {
		return fmt.Sprintf("<%s>%q", e.name, e.text)
	}
	var parts []string
	for _, c := range e.children {
		parts = append(parts, c.String())
	}
	return "<" + e.name + ">(" + abridged(strings.Join(parts, " ")) + ")"
}

func diffElements(path string, a, b *element, differ func(string, *element, *element)) {
	if len(a.children) == 0 && len(b.children) == 0 {
		if !equalText(a.name, a.text, b.text) {
			differ(path, a, b)
		}
		return
	}
	for _, name := range sorted(a.byName(), b.byName()) {
		x, y := a.byName()[name], b.byName()[name]
		for i := range max(len(x), len(y)) {
			switch {
			case i >= len(x):
				differ(path+"/"+name, nil, y[i])
			case i >= len(y):
				differ(path+"/"+name, x[i], nil)
			default:
				diffElements(path+"/"+name, x[i], y[i], differ)
			}
		}
	}
}

func (e *element) byName() map[string][]*element {
	m := make(map[string][]*element)
	for _, c := range e.children {
		m[c.name] = append(m[c.name], c)
	}
	return m
}

func equalText(name, a, b string) bool {
	switch name {
	case "LastModified", "Initiated", "CreationDate":
		x, errX := time.Parse(time.RFC3339Nano, a)
		y, errY := time.Parse(time.RFC3339Nano, b)
		return errX == nil && errY == nil && math.Abs(float64(x.Sub(y))) <= float64(near)
	case "NextContinuationToken", "ContinuationToken":
		return (a == "") == (b == "")
	case "Location":
		return sameEncoded(strings.ReplaceAll(a, "+", "%2B"), b) // MinIO leaves a "+"
	}
	return cacheTag.ReplaceAllString(a, "") == cacheTag.ReplaceAllString(b, "")
}

// cacheTag is what MinIO adds to its markers.
var cacheTag = regexp.MustCompile(`\[minio_cache:[^\]]*\]$`)

// controls are characters that XML 1.0 can not hold. Stores write them as
// references all the same, each in its own spelling.
var controls = regexp.MustCompile(`&#x?0?([1-8]|6553[45]);`)

func readXML(text string) (*element, error) {
	d := xml.NewDecoder(strings.NewReader(controls.ReplaceAllString(text, "(control $1)")))
	root := &element{}
	stack := []*element{root}
	for {
		token, err := d.Token()
		if err == io.EOF && len(root.children) == 1 {
			return root.children[0], nil
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %s", err, abridged(text))
		}
		top := stack[len(stack)-1]
		switch token := token.(type) {
		case xml.StartElement:
			e := &element{name: token.Name.Local}
			top.children, stack = append(top.children, e), append(stack, e)
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		case xml.CharData:
			top.text += string(token)
		}
	}
}

// verdict is the status and, of an error with a document, its code.
func (a *answer) verdict() string {
	if code := errorCode(a); code != "" {
		return fmt.Sprintf("%d %s", a.status, code)
	}
	return strconv.Itoa(a.status)
}

// errorCode is the <Code> of an error's document.
func errorCode(a *answer) string {
	var e struct{ Code string }
	if xml.Unmarshal(a.body, &e) != nil {
		return ""
	}
	return e.Code
}

// sorted are the keys of all maps, each once.
func sorted[K cmp.Ordered, V any](all ...map[K]V) []K {
	var keys []K
	for _, m := range all {
		keys = slices.AppendSeq(keys, maps.Keys(m))
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}
