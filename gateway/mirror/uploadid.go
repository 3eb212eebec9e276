package mirror

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"

	"sluice/backends"
)

// An upload id as clients see it holds the ids of the upload on both stores, and
// a MAC over them, the bucket and the key. Nothing about it is remembered, so it
// is valid on every gateway that has the keys, after a restart, and after a
// phase change: it names the stores old and new, not primary and secondary.
//
//	base64url( version | uvarint(len old) | old | new | MAC[:16] )

const uploadVersion = 1

type uploadIDs struct{ old, new string }

// pair names the stores' ids by the stores.
func (b *Bucket) pair(v view, primaryID, secondaryID string) uploadIDs {
	if v.primary == b.old {
		return uploadIDs{old: primaryID, new: secondaryID}
	}
	return uploadIDs{old: secondaryID, new: primaryID}
}

func (b *Bucket) sealUpload(key string, ids uploadIDs) string {
	raw := []byte{uploadVersion}
	raw = binary.AppendUvarint(raw, uint64(len(ids.old)))
	raw = append(raw, ids.old...)
	raw = append(raw, ids.new...)
	raw = append(raw, b.uploadMAC(b.o.UploadKeys[0], key, raw)...)
	return base64.RawURLEncoding.EncodeToString(raw)
}

const macLength = 16

func (b *Bucket) uploadMAC(secret []byte, key string, raw []byte) []byte {
	h := hmac.New(sha256.New, secret)
	for _, field := range []string{b.Name, key} {
		h.Write(binary.AppendUvarint(nil, uint64(len(field))))
		h.Write([]byte(field))
	}
	h.Write(raw)
	return h.Sum(nil)[:macLength]
}

// openUpload reads a client's upload id: the upload's id on the primary and on
// the secondary, "" where it is not open. An id that Sluice did not make for
// this key is backends.ErrNoUpload.
func (b *Bucket) openUpload(v view, op, key, id string) ([2]string, error) {
	none := &backends.Error{
		Store: "sluice", Op: op, Key: key, Kind: backends.ErrNoUpload, Status: 404, Code: "NoSuchUpload",
	}
	raw, err := base64.RawURLEncoding.DecodeString(id)
	if err != nil || len(raw) < 2+macLength || raw[0] != uploadVersion {
		return [2]string{}, none
	}
	raw, mac := raw[:len(raw)-macLength], raw[len(raw)-macLength:]
	valid := false
	for _, secret := range b.o.UploadKeys {
		valid = valid || hmac.Equal(mac, b.uploadMAC(secret, key, raw))
	}
	n, size := binary.Uvarint(raw[1:])
	if !valid || size <= 0 || n > uint64(len(raw)-1-size) {
		return [2]string{}, none
	}
	rest := raw[1+size:]
	ids := [2]string{string(rest[:n]), string(rest[n:])}
	if v.primary != b.old {
		ids[0], ids[1] = ids[1], ids[0]
	}
	if ids[primary] == "" {
		return ids, none
	}
	return ids, nil
}
