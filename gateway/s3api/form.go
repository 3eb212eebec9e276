package s3api

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
)

// Bounds of what a form may send before its file, in bytes.
const (
	maxFormFields = 20 << 10 // names and values, as S3 has it
	// maxFormPreamble also counts what stands around the fields: without it a
	// form of empty fields would have no end.
	maxFormPreamble = 64 << 10
)

// PostForm is PostObject: an upload by HTML form, read up to its file. Put then
// reads the rest as it does for PutObject, since the request in here has the
// form's key and, for a header, the form's fields
// (https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html).
type PostForm struct {
	*Request
	// Fields are all that came before the file, by lower-case name, the key
	// expanded.
	Fields map[string]string
	// File is what the file holds. It is still on the way: whether the form is
	// signed should be known before it is read.
	File io.Reader
}

// formHeaders are the fields that stand for a header of PutObject.
var formHeaders = headerSet{exact: []string{"Content-Encoding", "Content-Md5", "If-Match", "If-None-Match"}}

// PostForm reads the form that httpReq carries. What comes after the file is
// ignored. A condition in a header of the request is NotImplemented, as S3 has
// none for forms.
func (r *Request) PostForm(httpReq *http.Request) (*PostForm, error) {
	if err := r.refuseHeaders(conditionHeaders.exact...); err != nil {
		return nil, err
	}
	kind, params, err := mime.ParseMediaType(httpReq.Header.Get("Content-Type"))
	if kind != "multipart/form-data" {
		return nil, ErrorFor("PreconditionFailed", "").with("Condition", "Bucket POST must be of the enclosure-type multipart/form-data")
	}
	if err != nil || params["boundary"] == "" {
		return nil, malformedForm()
	}
	source := &preamble{src: httpReq.Body, left: maxFormPreamble}
	f := &PostForm{Fields: make(map[string]string)}
	filename, named, err := f.readFields(multipart.NewReader(source, params["boundary"]))
	if err != nil {
		return nil, source.explain(err)
	}
	source.past = true
	if err := f.expandKey(filename, named); err != nil {
		return nil, err
	}
	f.Request = &Request{Op: r.Op, Bucket: r.Bucket, Key: f.Fields["key"], Query: r.Query}
	if f.Header, err = formHeader(f.Fields); err != nil {
		return nil, err
	}
	_, err = f.Put(nil, 0) // what can not be stored is refused before the file is taken in
	return f, err
}

func malformedForm() *Error { return ErrorFor("MalformedPOSTRequest", "") }

// preamble reads a request's body, which must come to the file within a bound.
type preamble struct {
	src  io.Reader
	left int64
	past bool  // the file has begun
	err  error // of src
}

func (p *preamble) Read(b []byte) (int, error) {
	if p.past {
		return p.src.Read(b)
	}
	if p.left == 0 {
		return 0, ErrorFor("MaxPostPreDataLengthExceeded", "")
	}
	n, err := p.src.Read(b[:min(int64(len(b)), p.left)])
	p.left -= int64(n)
	p.err = err
	return n, err
}

// explain finds what an error of the multipart reader means: what is wrong with
// the form, unless it is the connection.
func (p *preamble) explain(err error) error {
	var own *Error
	switch {
	case errors.As(err, &own):
		return own
	case errors.Is(p.err, io.ErrUnexpectedEOF):
		return ErrorFor("IncompleteBody", "")
	case p.err != nil && !errors.Is(p.err, io.EOF):
		return fmt.Errorf("reading a form: %w", p.err)
	case errors.Is(err, io.EOF):
		return invalidArgument("POST requires exactly one file upload per request.")
	}
	return malformedForm()
}

// readFields reads the fields up to the file. It answers the file's name, if the
// form gives one.
func (f *PostForm) readFields(parts *multipart.Reader) (filename string, named bool, err error) {
	left := maxFormFields
	for {
		part, err := parts.NextRawPart() // raw: as it was sent, so is it stored
		if err != nil {
			return "", false, err
		}
		kind, params, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
		name := strings.ToLower(params["name"])
		if err != nil || kind != "form-data" || name == "" {
			return "", false, malformedForm()
		}
		if name == "file" {
			f.File = part
			filename, named = params["filename"]
			return filename, named, nil
		}
		value, err := io.ReadAll(part) // bounded by the preamble
		if err != nil {
			return "", false, err
		}
		if left -= len(name) + len(value); left < 0 {
			return "", false, ErrorFor("MaxPostPreDataLengthExceeded", "")
		}
		if _, twice := f.Fields[name]; twice {
			// Which of the two counts must not be left to who reads the form.
			return "", false, invalidArgument(fmt.Sprintf("The form has more than one field named '%s'.", name))
		}
		f.Fields[name] = string(value)
	}
}

// expandKey puts the file's name in place of ${filename}. Of a path, as some
// browsers send it, the last element counts. A file without a name leaves the
// variable as it is, as in S3.
func (f *PostForm) expandKey(filename string, named bool) error {
	key, ok := f.Fields["key"]
	if !ok {
		return invalidArgument("Bucket POST must contain a field named 'key'.  If it is specified, please check the order of the fields.")
	}
	if named {
		filename = filename[strings.LastIndexAny(filename, `/\`)+1:]
		key = strings.ReplaceAll(key, "${filename}", filename)
	}
	if key == "" {
		return invalidArgument("User key must have a length greater than 0.")
	}
	f.Fields["key"] = key
	return checkKey(key)
}

// formHeader turns fields into the headers of the same PutObject.
func formHeader(fields map[string]string) (http.Header, error) {
	header := make(http.Header)
	for field, value := range fields {
		name := http.CanonicalHeaderKey(field)
		switch {
		case field == "acl":
			name = "X-Amz-Acl"
		case strings.HasPrefix(field, "x-amz-meta-") && name == field:
			// Nothing is made upper-case in what is no header's name.
			return nil, invalidArgument("The name of the field " + field + " can not be a header's.")
		case !objectHeaders.has(name) && !formHeaders.has(name):
			continue
		}
		if err := checkHeaderValue(field, value); err != nil {
			return nil, err
		}
		header[name] = append(header[name], value)
	}
	if text, ok := fields["tagging"]; ok {
		tags, err := readTagging(text)
		if err != nil {
			return nil, err
		}
		header["X-Amz-Tagging"] = []string{tags}
	}
	return header, nil
}

type taggingXML struct {
	Sets []struct {
		Tags []struct {
			Key   []string
			Value []string
			Other []anyElement `xml:",any"`
		} `xml:"Tag"`
		Other []anyElement `xml:",any"`
	} `xml:"TagSet"`
	Other []anyElement `xml:",any"`
}

// readTagging reads the field's document and writes the tags as X-Amz-Tagging
// has them:
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_Tagging.html
func readTagging(text string) (string, error) {
	var doc taggingXML
	if err := readXML(strings.NewReader(text), maxFormFields, "Tagging", &doc); err != nil {
		return "", err
	}
	if len(doc.Sets) != 1 || len(doc.Sets[0].Other)+len(doc.Other) > 0 {
		return "", malformedXML()
	}
	var pairs []string
	for _, tag := range doc.Sets[0].Tags {
		if len(tag.Key) != 1 || len(tag.Value) != 1 || len(tag.Other) > 0 {
			return "", malformedXML()
		}
		pairs = append(pairs, encodeKey(tag.Key[0])+"="+encodeKey(tag.Value[0]))
	}
	return strings.Join(pairs, "&"), nil
}
