package s3api

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strconv"
	"strings"

	"sluice/backends"
)

// Bounds of the documents clients send, in bytes. S3 takes 2 MB for
// DeleteObjects; a CompleteMultipartUpload of 10,000 parts with checksums,
// indented, needs more.
const (
	maxDeleteXML   = 2 << 20
	maxCompleteXML = 4 << 20
)

// maxDeletes is the most keys one DeleteObjects may name.
const maxDeletes = 1000

// namespace is that of every document S3 writes. Documents it reads may leave
// it out.
const namespace = "http://s3.amazonaws.com/doc/2006-03-01/"

func malformedXML() *Error { return ErrorFor("MalformedXML", "") }

// DeleteManyRequest is DeleteObjects.
type DeleteManyRequest struct {
	backends.DeleteManyRequest
	Quiet bool // answer the failures only
}

// anyElement is an element whose name is not expected.
type anyElement struct {
	XMLName xml.Name
	Text    string `xml:",chardata"`
}

type deleteXML struct {
	Quiet   []bool
	Objects []struct {
		Key       []string
		VersionID []string     `xml:"VersionId"`
		Other     []anyElement `xml:",any"`
	} `xml:"Object"`
	Other []anyElement `xml:",any"`
}

// DeleteMany reads DeleteObjects' body:
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
//
// An error of reading body (a wrong checksum, say) is answered as it is. A
// condition on an object (ETag, LastModifiedTime, Size) is NotImplemented:
// dropped, it would delete what the client meant to keep.
func (r *Request) DeleteMany(body io.Reader) (DeleteManyRequest, error) {
	var doc deleteXML
	if err := readXML(body, maxDeleteXML, "Delete", &doc); err != nil {
		return DeleteManyRequest{}, err
	}
	if len(doc.Objects) == 0 || len(doc.Objects) > maxDeletes || len(doc.Quiet) > 1 || len(doc.Other) > 0 {
		return DeleteManyRequest{}, malformedXML()
	}
	d := DeleteManyRequest{Quiet: len(doc.Quiet) == 1 && doc.Quiet[0]}
	d.Objects, d.Header = make([]backends.ObjectVersion, len(doc.Objects)), pick(r.Header, deleteHeaders)
	for i, o := range doc.Objects {
		for _, other := range o.Other {
			switch other.XMLName.Local {
			case "ETag", "LastModifiedTime", "Size":
				return DeleteManyRequest{}, ErrorFor("NotImplemented", "Conditional deletes are not implemented in DeleteObjects.")
			}
			return DeleteManyRequest{}, malformedXML()
		}
		if len(o.Key) != 1 || o.Key[0] == "" || len(o.VersionID) > 1 {
			return DeleteManyRequest{}, malformedXML()
		}
		if err := checkKey(o.Key[0]); err != nil {
			return DeleteManyRequest{}, err
		}
		d.Objects[i].Key = o.Key[0]
		if len(o.VersionID) == 1 {
			d.Objects[i].VersionID = o.VersionID[0]
		}
	}
	return d, nil
}

type completeXML struct {
	Parts []struct {
		Number []string     `xml:"PartNumber"`
		ETag   []string     `xml:"ETag"`
		Other  []anyElement `xml:",any"`
	} `xml:"Part"`
	Other []anyElement `xml:",any"`
}

// readComplete reads CompleteMultipartUpload's body.
func readComplete(body io.Reader) ([]backends.CompletedPart, error) {
	var doc completeXML
	if err := readXML(body, maxCompleteXML, "CompleteMultipartUpload", &doc); err != nil {
		return nil, err
	}
	if len(doc.Parts) == 0 || len(doc.Parts) > MaxPart || len(doc.Other) > 0 {
		return nil, malformedXML()
	}
	parts := make([]backends.CompletedPart, len(doc.Parts))
	for i, p := range doc.Parts {
		if len(p.Number) != 1 || len(p.ETag) != 1 {
			return nil, malformedXML()
		}
		number, err := strconv.Atoi(strings.TrimSpace(p.Number[0]))
		if err != nil {
			return nil, malformedXML()
		}
		if number < 1 || number > MaxPart {
			return nil, invalidArgument("PartNumber must be >= 1")
		}
		if i > 0 && number <= parts[i-1].Number {
			return nil, ErrorFor("InvalidPartOrder", "")
		}
		parts[i] = backends.CompletedPart{Number: number, ETag: unquote(strings.TrimSpace(p.ETag[0]))}
		if parts[i].Checksum, err = checksums(p.Other); err != nil {
			return nil, err
		}
	}
	return parts, nil
}

// checksums reads the elements of a part that S3 calls Checksum….
func checksums(elements []anyElement) (map[string]string, error) {
	if len(elements) == 0 {
		return nil, nil
	}
	sums := make(map[string]string, len(elements))
	for _, e := range elements {
		if !strings.HasPrefix(e.XMLName.Local, "Checksum") {
			return nil, malformedXML()
		}
		sums[e.XMLName.Local] = strings.TrimSpace(e.Text)
	}
	return sums, nil
}

// readXML decodes a document of at most limit bytes whose root is named root.
// Whatever is not exactly that is MalformedXML. There is no entity to expand:
// the decoder knows the five of XML, and a document type is refused.
func readXML(body io.Reader, limit int64, root string, into any) error {
	data, err := io.ReadAll(io.LimitReader(body, limit+1))
	if err != nil {
		return err
	}
	if int64(len(data)) > limit {
		return malformedXML()
	}
	decoder := xml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff"))))
	start, err := nextElement(decoder)
	if err != nil || start.Name.Local != root || start.Name.Space != "" && start.Name.Space != namespace {
		return malformedXML()
	}
	if err := decoder.DecodeElement(into, &start); err != nil {
		return malformedXML()
	}
	if _, err := nextElement(decoder); !errors.Is(err, io.EOF) {
		return malformedXML()
	}
	return nil
}

// nextElement skips what may stand outside the root element. At the end of the
// document it answers io.EOF.
func nextElement(decoder *xml.Decoder) (xml.StartElement, error) {
	for {
		token, err := decoder.Token()
		if err != nil {
			return xml.StartElement{}, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			return t, nil
		case xml.ProcInst, xml.Comment:
		case xml.CharData:
			if len(bytes.TrimSpace(t)) > 0 {
				return xml.StartElement{}, malformedXML()
			}
		default: // a document type
			return xml.StartElement{}, malformedXML()
		}
	}
}
