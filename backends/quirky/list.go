package quirky

import (
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// list answers ListObjectsV2, or ListObjects if it is asked for or all there is.
func (s *Server) list(w http.ResponseWriter, q url.Values) *refusal {
	v2 := q.Get("list-type") == "2" && !s.quirks.V1Only
	after := q.Get("marker")
	if v2 {
		token, _ := hex.DecodeString(q.Get("continuation-token"))
		after = max(q.Get("start-after"), string(token))
	}
	limit, _ := strconv.Atoi(q.Get("max-keys"))
	var b strings.Builder
	count, last, truncated := 0, "", false
	for _, key := range slices.Sorted(maps.Keys(s.objects)) {
		rest, ok := strings.CutPrefix(key, q.Get("prefix"))
		entry, group := key, false
		if d := q.Get("delimiter"); d != "" {
			var head string
			if head, _, group = strings.Cut(rest, d); group {
				entry = q.Get("prefix") + head + d
			}
		}
		if !ok || entry <= after || entry == last {
			continue
		}
		if count == limit {
			truncated = limit > 0
			break
		}
		count, last = count+1, entry
		if group {
			fmt.Fprintf(&b, "<CommonPrefixes><Prefix>%s</Prefix></CommonPrefixes>", url.QueryEscape(entry))
			continue
		}
		o := s.objects[key]
		fmt.Fprintf(&b, "<Contents><Key>%s</Key><ETag>%s</ETag><Size>%d</Size><LastModified>%s</LastModified></Contents>",
			url.QueryEscape(key), o.etag, len(o.body), o.modified.UTC().Format(time.RFC3339))
	}
	fmt.Fprintf(&b, "<EncodingType>url</EncodingType><IsTruncated>%v</IsTruncated>", truncated)
	switch {
	case v2:
		fmt.Fprintf(&b, "<KeyCount>%d</KeyCount>", count)
		if truncated {
			fmt.Fprintf(&b, "<NextContinuationToken>%x</NextContinuationToken>", last)
		}
	default:
		fmt.Fprintf(&b, "<Marker>%s</Marker>", url.QueryEscape(after))
		if truncated && q.Get("delimiter") != "" {
			fmt.Fprintf(&b, "<NextMarker>%s</NextMarker>", url.QueryEscape(last))
		}
	}
	return document(w, "<ListBucketResult>%s</ListBucketResult>", b.String())
}
