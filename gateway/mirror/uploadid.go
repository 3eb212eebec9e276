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
	raw = append(raw, b.uploadMAC(b.o.Settings().UploadKeys[0], key, raw)...)
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
	ids, raw, mac, ok := decodeUpload(id)
	valid := false
	for _, secret := range b.o.Settings().UploadKeys {
		valid = valid || ok && hmac.Equal(mac, b.uploadMAC(secret, key, raw))
	}
	if !valid {
		return [2]string{}, none
	}
	sides := ids.sides(v, b)
	if sides[primary] == "" && (sides[secondary] == "" || v.mirror() == nil) {
		return sides, none
	}
	return sides, nil
}

// holder is the view of an upload's parts. One that was opened before a phase
// change may be open on what is the secondary now, alone: its parts go there, and
// its completion brings the object over.
func (v view) holder(ids [2]string) (view, [2]string) {
	if ids[primary] == "" {
		return view{phase: v.phase, primary: v.secondary}, [2]string{primary: ids[secondary]}
	}
	return v, ids
}

// decodeUpload takes an id apart, without a look at its MAC.
func decodeUpload(id string) (ids uploadIDs, raw, mac []byte, ok bool) {
	all, err := base64.RawURLEncoding.DecodeString(id)
	if err != nil || len(all) < 2+macLength || all[0] != uploadVersion {
		return uploadIDs{}, nil, nil, false
	}
	raw, mac = all[:len(all)-macLength], all[len(all)-macLength:]
	n, size := binary.Uvarint(raw[1:])
	if size <= 0 || n > uint64(len(raw)-1-size) {
		return uploadIDs{}, nil, nil, false
	}
	rest := raw[1+size:]
	return uploadIDs{old: string(rest[:n]), new: string(rest[n:])}, raw, mac, true
}

// sides orders the ids by what the stores are in the view.
func (ids uploadIDs) sides(v view, b *Bucket) [2]string {
	if v.primary == b.old {
		return [2]string{primary: ids.old, secondary: ids.new}
	}
	return [2]string{primary: ids.new, secondary: ids.old}
}
