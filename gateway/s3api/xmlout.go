package s3api

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// xmlDeclaration is the first line of every document; a client that waits for a
// CompleteMultipartUpload gets it ahead of the rest.
const xmlDeclaration = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"

// timeFormat is ISO 8601 with milliseconds, as in all of S3's documents.
const timeFormat = "2006-01-02T15:04:05.000Z"

// document is an answer in XML, written element by element: encoding/xml would
// replace the characters of keys that XML 1.0 can not hold (see escape), and
// needs a type for each answer.
type document struct{ buf bytes.Buffer }

func newDocument() *document {
	d := new(document)
	d.buf.WriteString(xmlDeclaration)
	return d
}

// root opens the outermost element, in S3's namespace.
func (d *document) root(name string) {
	d.buf.WriteString("<" + name + ` xmlns="` + namespace + `">`)
}

func (d *document) open(name string)  { d.buf.WriteString("<" + name + ">") }
func (d *document) close(name string) { d.buf.WriteString("</" + name + ">") }

// text writes an element.
func (d *document) text(name, value string) {
	d.open(name)
	d.escape(value)
	d.close(name)
}

// raw writes an element that holds a piece of a document a store sent, if there is
// one.
func (d *document) raw(name, inner string) {
	if inner != "" {
		d.open(name)
		d.buf.WriteString(inner)
		d.close(name)
	}
}

// optional writes an element unless it would be empty.
func (d *document) optional(name, value string) {
	if value != "" {
		d.text(name, value)
	}
}

func (d *document) int(name string, value int64)      { d.text(name, strconv.FormatInt(value, 10)) }
func (d *document) bool(name string, value bool)      { d.text(name, strconv.FormatBool(value)) }
func (d *document) time(name string, value time.Time) { d.text(name, value.UTC().Format(timeFormat)) }

// etag writes an entity tag; its quotes are written as S3 writes them.
func (d *document) etag(value string) {
	d.open("ETag")
	d.buf.WriteString("&quot;")
	d.escape(value)
	d.buf.WriteString("&quot;")
	d.close("ETag")
}

// key writes an element that holds a key or a piece of one, percent-encoded if
// the client asked for that.
func (d *document) key(name, value string, encodeURL bool) {
	if encodeURL {
		value = encodeKey(value)
	}
	d.text(name, value)
}

// echo writes a key that the client itself named in the request, with U+FFFD for
// what XML can not hold. S3 sends references there too, and an XML parser then
// refuses the whole answer, the upload id in it included
// (github.com/boto/botocore/issues/3496); the key is the one part of it that the
// client does not need.
func (d *document) echo(name, value string) {
	d.text(name, strings.Map(func(c rune) rune {
		if !inXML(c) {
			return utf8.RuneError
		}
		return c
	}, value))
}

// inXML tells whether XML 1.0 can hold a character, be it as a reference.
func inXML(c rune) bool {
	return c >= ' ' && c != 0xFFFE && c != 0xFFFF || c == '\t' || c == '\n' || c == '\r'
}

// escape writes character data. Control characters become references (&#1;), as
// S3 writes them. Most of these are not well-formed XML 1.0, which has no way to
// say them: a parser that is lenient reads the true key, a strict one fails, and
// none is given a wrong key to delete. Clients that may meet such keys ask for
// encoding-type=url: the AWS CLI, boto3 and minio-go always do.
func (d *document) escape(s string) {
	s = strings.ToValidUTF8(s, "\uFFFD")
	done := 0
	for i, c := range s {
		var as string
		switch {
		case c == '&':
			as = "&amp;"
		case c == '<':
			as = "&lt;"
		case c == '>':
			as = "&gt;"
		case c < ' ' || c == 0xFFFE || c == 0xFFFF:
			as = "&#" + strconv.Itoa(int(c)) + ";"
		default:
			continue
		}
		d.buf.WriteString(s[done:i])
		d.buf.WriteString(as)
		done = i + utf8.RuneLen(c)
	}
	d.buf.WriteString(s[done:])
}

// encodeKey percent-encodes all but unreserved characters and the slash. S3
// writes a space as "+"; this writes "%20", because there are clients that
// decode as for a form and clients that decode as for a path, and both read
// "%20" (and "%2B" for a plus) right.
func encodeKey(key string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for _, c := range []byte(key) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			c == '-', c == '_', c == '.', c == '~', c == '/':
			b.WriteByte(c)
		default:
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}

// error writes the document of an error. It has no namespace, as S3's has none.
// Of the resource, which is a path, only ASCII stands as it is: an error must be
// readable whatever it is about.
func (d *document) error(e *Error, resource, requestID string) {
	d.open("Error")
	d.text("Code", e.Code)
	d.echo("Message", e.Message)
	for _, detail := range e.Details {
		d.echo(detail.Name, detail.Value)
	}
	var safe strings.Builder
	for _, c := range []byte(resource) {
		if c < ' ' || c >= utf8.RuneSelf {
			fmt.Fprintf(&safe, "%%%02X", c)
		} else {
			safe.WriteByte(c)
		}
	}
	d.text("Resource", safe.String())
	d.text("RequestId", requestID)
	d.text("HostId", requestID)
	d.close("Error")
}

// send writes the document as the whole answer.
func (d *document) send(w http.ResponseWriter, status int) {
	h := w.Header()
	h.Set("Content-Type", "application/xml")
	h.Set("Content-Length", strconv.Itoa(d.buf.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(d.buf.Bytes()) // a client that is gone learns nothing more
}
