package quirky

import (
	"cmp"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// smallestPart is S3's.
const smallestPart = 5 << 20

func (s *Server) open(w http.ResponseWriter, r *http.Request, key string) *refusal {
	s.next++
	id := strconv.Itoa(s.next)
	s.uploads[id] = &upload{key, r.Header, make(map[int]part)}
	return document(w, "<InitiateMultipartUploadResult><UploadId>%s</UploadId></InitiateMultipartUploadResult>", id)
}

func (s *Server) onUpload(w http.ResponseWriter, r *http.Request, body []byte) *refusal {
	id := r.URL.Query().Get("uploadId")
	u := s.uploads[id]
	switch {
	case u == nil:
		return noSuchUpload
	case r.Method == http.MethodPut:
		return s.putPart(w, r, u, body)
	case r.Method == http.MethodGet:
		return s.listParts(w, u)
	case r.Method == http.MethodDelete:
		delete(s.uploads, id)
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	no := s.complete(w, r, u, body)
	if no == nil {
		delete(s.uploads, id)
	}
	return no
}

// putPart takes a part. As S3 does it wants the checksum that the upload was opened
// for.
func (s *Server) putPart(w http.ResponseWriter, r *http.Request, u *upload, body []byte) *refusal {
	number, _ := strconv.Atoi(r.URL.Query().Get("partNumber"))
	sums, no := s.checked(r.Header, body)
	if no != nil {
		return no
	}
	if u.header.Get("X-Amz-Checksum-Algorithm") == "CRC32" && sums.Get(crc32Name) == "" && !s.quirks.ForgetChecksums {
		return invalid("InvalidRequest")
	}
	sums.Del("X-Amz-Checksum-Type")
	u.parts[number] = part{body, sums}
	maps.Copy(w.Header(), sums)
	w.Header().Set("ETag", quoted(s.etag(body)))
	return nil
}

func (s *Server) listParts(w http.ResponseWriter, u *upload) *refusal {
	var b strings.Builder
	for _, number := range slices.Sorted(maps.Keys(u.parts)) {
		p := u.parts[number]
		fmt.Fprintf(&b, "<Part><PartNumber>%d</PartNumber><Size>%d</Size><ETag>%s</ETag></Part>", number, len(p.body), s.etag(p.body))
	}
	return document(w, "<ListPartsResult>%s</ListPartsResult>", b.String())
}

func (s *Server) complete(w http.ResponseWriter, r *http.Request, u *upload, body []byte) *refusal {
	var asked struct {
		Part []struct {
			PartNumber int
			ETag       string
		}
	}
	if xml.Unmarshal(body, &asked) != nil {
		return invalid("MalformedXML")
	}
	if no := s.mayReplace(r.Header, u.key); no != nil {
		return no
	}
	var parts []part
	var content, hashes []byte
	for _, p := range asked.Part {
		stored, ok := u.parts[p.PartNumber]
		if !ok || p.ETag != quoted(s.etag(stored.body)) {
			return invalid("InvalidPart")
		}
		hash, _ := hex.DecodeString(s.etag(stored.body))
		hashes, content, parts = append(hashes, hash...), append(content, stored.body...), append(parts, stored)
	}
	if no := s.partSizes(parts); no != nil {
		return no
	}
	sums, no := s.sumsOf(r.Header, u, parts, content)
	if no != nil {
		return no
	}
	o := newObject(u.header, content)
	hash := md5.Sum(hashes)
	o.etag, o.parts, o.sums = fmt.Sprintf("%x-%d", hash, len(parts)), parts, sums
	s.objects[u.key] = o
	return document(w, "<CompleteMultipartUploadResult><ETag>%s</ETag></CompleteMultipartUploadResult>", quoted(o.etag))
}

func (s *Server) partSizes(parts []part) *refusal {
	for _, p := range parts[:max(len(parts)-1, 0)] {
		if len(p.body) < cmp.Or(s.quirks.SmallestPart, smallestPart) {
			return invalid("EntityTooSmall")
		}
		if s.quirks.EqualParts && (len(p.body) != len(parts[0].body) || len(parts[len(parts)-1].body) > len(p.body)) {
			return invalid("InvalidPart")
		}
	}
	return nil
}

// sumsOf are the checksums of a completed upload that was opened for CRC-32.
func (s *Server) sumsOf(h http.Header, u *upload, parts []part, content []byte) (http.Header, *refusal) {
	sums := make(http.Header)
	if u.header.Get("X-Amz-Checksum-Algorithm") != "CRC32" || s.quirks.ForgetChecksums {
		return sums, nil
	}
	if u.header.Get("X-Amz-Checksum-Type") == "FULL_OBJECT" {
		return s.checked(http.Header{crc32Name: {cmp.Or(h.Get(crc32Name), crc(content))}}, content)
	}
	var all []byte
	for _, p := range parts {
		sum, _ := base64.StdEncoding.DecodeString(p.sums.Get(crc32Name))
		all = append(all, sum...)
	}
	sums.Set(crc32Name, fmt.Sprintf("%s-%d", crc(all), len(parts)))
	sums.Set("X-Amz-Checksum-Type", "COMPOSITE")
	return sums, nil
}
