package model

// Kind is a client's mutation.
type Kind uint8

// The mutations.
const (
	Put Kind = iota
	PutIfAbsent
	Delete
	Complete      // assembles the multipart upload
	CompleteAgain // the client repeats the Complete that the operation comes after
	CopyOp        // server-side, from the source key
	CopySelf      // server-side, onto itself, to change the metadata
	Tag           // changes what hangs on the object: tags, an ACL
)

func (k Kind) String() string {
	return [...]string{"put", "put-if-absent", "delete", "complete", "complete-again", "copy", "copy-self", "tag"}[k]
}

// completes an upload.
func (k Kind) completes() bool { return k == Complete || k == CompleteAgain }

// ofStore: what becomes of it depends on what else the store has: the copy's
// source, the upload. The two stores may differ in that.
func (k Kind) ofStore() bool { return k == CopyOp || k.completes() }

// inPlace: the result depends on what the store holds.
func (k Kind) inPlace() bool { return k == CopySelf || k == Tag }

// ordered: the secondary is asked after the primary's success, in every phase
// (R7): the primary alone judges conditions, and what can not be judged twice.
func (k Kind) ordered() bool { return k != Put && k != Delete }

// needsPromotion: a key that is only on old is brought to new first (R8).
func (k Kind) needsPromotion() bool { return k == PutIfAbsent || k.inPlace() }

// passesCopies: with conditional copies it need not wait for a copy of its key,
// because its result does not depend on what the key holds (R8).
func (k Kind) passesCopies() bool { return k == Put || k == Complete || k == CopyOp }

// change: the journal's Kind Change: it says nothing of the content before it.
func (k Kind) change() bool { return k == Tag }

// EffectKind is what a request does to a store.
type EffectKind uint8

// The kinds of requests.
const (
	Write  EffectKind = iota // of the value; Absent deletes
	Create                   // If-None-Match: *
	MarkTag
	CopyFromSource
	AssembleParts
)

// Effect is a request to one store.
type Effect struct {
	Kind  EffectKind
	Value Value
}

func (e Effect) String() string {
	switch e.Kind {
	case Create:
		return "create " + e.Value.String()
	case MarkTag:
		return "tag"
	case CopyFromSource:
		return "copy from source"
	case AssembleParts:
		return "complete " + e.Value.String()
	}
	if e.Value == Absent {
		return "delete"
	}
	return "write " + e.Value.String()
}

// value is what operation i writes.
func (m *Model) value(i int) Value {
	switch m.Ops[i].Kind {
	case Delete:
		return Absent
	case CompleteAgain:
		return m.value(m.Ops[i].After)
	}
	return Written + Value(i)
}

// effect is operation i's request to its primary or its secondary.
func (m *Model) effect(i, side int) Effect {
	switch m.Ops[i].Kind {
	case PutIfAbsent:
		if side == primary {
			return Effect{Create, m.value(i)}
		}
		return Effect{Write, m.value(i)} // judged by the primary alone (R7)
	case Complete, CompleteAgain:
		return Effect{AssembleParts, m.value(i)}
	case CopyOp:
		return Effect{Kind: CopyFromSource}
	case CopySelf, Tag:
		return Effect{Kind: MarkTag}
	}
	return Effect{Write, m.value(i)}
}

// result is what operation i makes of the key, given what the key and its source
// hold; false if it is refused. It is the specification that clients rely on.
func (m *Model) result(i int, key, source Value) (Value, bool) {
	switch m.Ops[i].Kind {
	case PutIfAbsent:
		return m.value(i), key == Absent
	case CopyOp:
		return source, source != Absent
	case CopySelf, Tag:
		return key | tagged, key != Absent
	}
	return m.value(i), true
}

// apply lets a request take effect on a store.
func (m *Model) apply(s *State, store Store, e Effect) Outcome {
	has := s.Stores[store]
	switch e.Kind {
	case Create:
		if has != Absent {
			return Refused
		}
	case MarkTag:
		if has == Absent {
			return Refused
		}
		e.Value = has | tagged
	case CopyFromSource:
		e.Value = s.Source.Values[store]
		if e.Value == Absent {
			return Refused
		}
	case AssembleParts:
		switch {
		case s.Uploads[store] == UploadCompleted && m.Idempotent:
			return Took // "it is completed", which a former Complete did: no effect now
		case s.Uploads[store] != UploadOpen:
			return Failed // NoSuchUpload
		}
		s.Uploads[store] = UploadCompleted
	}
	s.Stores[store] = e.Value
	return Took
}
