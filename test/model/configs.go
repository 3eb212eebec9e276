package model

// Configs are the configurations that together cover the protocol.
func Configs() []Config {
	var all []Config
	for _, group := range [][]Config{
		mirroringConfigs(), switchedConfigs(), readOnlyConfigs(), listConfigs(), phaseConfigs(),
		multipartConfigs(), copyConfigs(), completeConfigs(),
	} {
		all = append(all, group...)
	}
	return all
}

// ConfigNamed finds a configuration by the first word of its name.
func ConfigNamed(word string) (Config, bool) {
	for _, c := range Configs() {
		if len(c.Name) > len(word) && c.Name[:len(word)] == word && c.Name[len(word)] == ' ' {
			return c, true
		}
	}
	return Config{}, false
}

// first is a client's first operation, or that of another client.
func first(k Kind) Op { return Op{k, none} }

// then is an operation of the client of the operation before.
func then(k Kind, after int) Op { return Op{k, after} }

func mirroringConfigs() []Config {
	return []Config{
		{Name: "M1 put then delete", Phase: Mirroring, New: First, Old: First, Ops: []Op{first(Put), then(Delete, 0)}, Reads: 2, Faults: 2, Crashes: 1},
		{Name: "M2 put beside put", Phase: Mirroring, New: First, Old: First, Ops: []Op{first(Put), first(Put)}, Reads: 2, Faults: 1, Crashes: 1},
		{Name: "M3 delete, conditional copy", Phase: Mirroring, Incomplete: true, Old: First, Ops: []Op{first(Delete)}, Reads: 2, Copies: 1, Tee: true, Conditional: true, StaleListing: true, Faults: 2, Crashes: 1},
		{Name: "M4 delete, unconditional copy", Phase: Mirroring, Incomplete: true, Old: First, Ops: []Op{first(Delete)}, Reads: 2, Copies: 1, Tee: true, StaleListing: true, Faults: 2, Crashes: 1},
		{Name: "M5 put beside delete, unconditional copy", Phase: Mirroring, Incomplete: true, Old: First, Ops: []Op{first(Put), first(Delete)}, Reads: 1, Copies: 1, Tee: true, StaleListing: true, Faults: 1, Crashes: 1, Eager: true},
		{Name: "M6 put-if-absent beside delete", Phase: Mirroring, New: First, Old: First, Ops: []Op{first(PutIfAbsent), first(Delete)}, Reads: 2, Faults: 1, Crashes: 1, Strict: true},
		{Name: "M7 put, errors are definite", Phase: Mirroring, New: First, Old: First, Ops: []Op{first(Put)}, Reads: 2, Faults: 2, Crashes: 1, Strict: true},
		{Name: "M8 put then delete, beside put", Phase: Mirroring, New: First, Old: First, Ops: []Op{first(Put), then(Delete, 0), first(Put)}, Reads: 1, Faults: 1, Eager: true},
		{Name: "M9 delete, errors are definite, copy", Phase: Mirroring, Incomplete: true, Old: First, Ops: []Op{first(Delete)}, Reads: 2, Copies: 1, Conditional: true, Faults: 2, Crashes: 1, Strict: true},
		{Name: "M10 put then tag", Phase: Mirroring, New: First, Old: First, Ops: []Op{first(Put), then(Tag, 0)}, Reads: 2, Faults: 2, Crashes: 1},
		{Name: "M11 put beside tag", Phase: Mirroring, New: First, Old: First, Ops: []Op{first(Put), first(Tag)}, Reads: 2, Faults: 1, Crashes: 1},
		{Name: "M12 put then put then put, one store fails", Phase: Mirroring, New: First, Old: First, Ops: []Op{first(Put), then(Put, 0), then(Put, 1)}, Reads: 1, Faults: 2},
	}
}

func switchedConfigs() []Config {
	return []Config{
		{Name: "S1 delete, conditional copy", Phase: Switched, Incomplete: true, Old: First, Ops: []Op{first(Delete)}, Reads: 2, Copies: 1, Tee: true, Conditional: true, StaleListing: true, Faults: 2, Crashes: 1, PrimaryDown: true},
		{Name: "S2 put, conditional copy", Phase: Switched, Incomplete: true, Old: First, Ops: []Op{first(Put)}, Reads: 2, Copies: 1, Tee: true, Conditional: true, StaleListing: true, Faults: 2, Crashes: 1, PrimaryDown: true},
		{Name: "S3 put then delete, unconditional copy", Phase: Switched, Incomplete: true, Old: First, Ops: []Op{first(Put), then(Delete, 0)}, Reads: 2, Copies: 1, Tee: true, StaleListing: true, Faults: 1, Crashes: 1},
		{Name: "S4 put beside delete, on both stores", Phase: Switched, Incomplete: true, New: First, Old: First, Ops: []Op{first(Put), first(Delete)}, Reads: 2, Faults: 1, Crashes: 1, PrimaryDown: true},
		{Name: "S5 put-if-absent beside delete, conditional copy", Phase: Switched, Incomplete: true, Old: First, Ops: []Op{first(PutIfAbsent), first(Delete)}, Reads: 1, Copies: 1, Tee: true, Conditional: true, StaleListing: true, Faults: 1, Crashes: 1, Strict: true},
		{Name: "S6 put, errors are definite", Phase: Switched, Incomplete: true, Old: First, Ops: []Op{first(Put)}, Reads: 2, Faults: 2, Crashes: 1, Strict: true},
		{Name: "S7 put beside put", Phase: Switched, Incomplete: true, Old: First, Ops: []Op{first(Put), first(Put)}, Reads: 2, Faults: 1, Crashes: 1},
		{Name: "S8 delete then put, conditional copy", Phase: Switched, Incomplete: true, Old: First, Ops: []Op{first(Delete), then(Put, 0)}, Reads: 2, Copies: 1, Tee: true, Conditional: true, StaleListing: true, Faults: 1, Crashes: 1},
		{Name: "S9 put beside delete, backfill complete", Phase: Switched, New: First, Old: First, Ops: []Op{first(Put), first(Delete)}, Reads: 2, Faults: 1, Crashes: 1, PrimaryDown: true},
		{Name: "S10 tag beside delete, conditional copy", Phase: Switched, Incomplete: true, Old: First, Ops: []Op{first(Tag), first(Delete)}, Reads: 2, Copies: 1, Conditional: true, StaleListing: true, Faults: 1, Crashes: 1},
		{Name: "S11 put beside delete, three reads", Phase: Switched, Incomplete: true, Old: First, Ops: []Op{first(Put), first(Delete)}, Reads: 3, Faults: 0, Crashes: 1},
	}
}

func readOnlyConfigs() []Config {
	return []Config{
		{Name: "R1 put then delete, unconditional copy", Phase: Switched, Incomplete: true, ReadOnlyOld: true, Old: First, Ops: []Op{first(Put), then(Delete, 0)}, Reads: 2, Copies: 1, Tee: true, StaleListing: true, Faults: 1, Crashes: 1, PrimaryDown: true},
		{Name: "R2 delete then put, conditional copy", Phase: Switched, Incomplete: true, ReadOnlyOld: true, Old: First, Ops: []Op{first(Delete), then(Put, 0)}, Reads: 2, Copies: 1, Tee: true, Conditional: true, StaleListing: true, Faults: 2, Crashes: 1, PrimaryDown: true},
		{Name: "R3 delete then put then delete", Phase: Switched, Incomplete: true, ReadOnlyOld: true, Old: First, Ops: []Op{first(Delete), then(Put, 0), then(Delete, 1)}, Reads: 2, Faults: 1, Crashes: 1},
		{Name: "R4 tag then delete, conditional copy", Phase: Switched, Incomplete: true, ReadOnlyOld: true, Old: First, Ops: []Op{first(Tag), then(Delete, 0)}, Reads: 2, Copies: 1, Tee: true, Conditional: true, StaleListing: true, Faults: 1, Crashes: 1},
		{Name: "R5 complete then delete, complete again", Phase: Switched, Incomplete: true, ReadOnlyOld: true, Old: First, Ops: []Op{first(Complete), then(Delete, 0), then(CompleteAgain, 0)}, Reads: 2, Idempotent: true, Faults: 1, Crashes: 1},
	}
}

func listConfigs() []Config {
	return []Config{
		{Name: "L1 delete, on both stores", Phase: Switched, Incomplete: true, New: First, Old: First, Ops: []Op{first(Delete)}, Reads: 2, List: true, Faults: 2, Crashes: 1},
		{Name: "L2 delete then put, conditional copy", Phase: Switched, Incomplete: true, Old: First, Ops: []Op{first(Delete), then(Put, 0)}, Reads: 2, List: true, Copies: 1, Conditional: true, StaleListing: true, Faults: 1, Crashes: 1},
		{Name: "L3 put then delete, old read-only", Phase: Switched, Incomplete: true, ReadOnlyOld: true, Old: First, Ops: []Op{first(Put), then(Delete, 0)}, Reads: 2, List: true, Faults: 1, Crashes: 1},
	}
}

func phaseConfigs() []Config {
	return []Config{
		{Name: "X0 put, start, unconditional copy", Phase: Passthrough, Incomplete: true, Old: First, Ops: []Op{first(Put)}, Reads: 2, Copies: 1, Tee: true, Path: []Change{Start}, Faults: 1, Crashes: 1},
		{Name: "X1 put beside delete, switch, rollback", Phase: Mirroring, Incomplete: true, New: First, Old: First, Ops: []Op{first(Put), first(Delete)}, Reads: 1, Path: []Change{Switch, Rollback}, Faults: 1},
		{Name: "X2 put, early switch, rollback, conditional copy", Phase: Mirroring, Incomplete: true, Old: First, Ops: []Op{first(Put)}, Reads: 2, Copies: 1, Tee: true, Conditional: true, StaleListing: true, Path: []Change{Switch, Rollback}, Faults: 1, Crashes: 1},
		{Name: "X3 delete, early switch, rollback, unconditional copy", Phase: Mirroring, Incomplete: true, Old: First, Ops: []Op{first(Delete)}, Reads: 2, Copies: 1, Tee: true, StaleListing: true, Path: []Change{Switch, Rollback}, Faults: 1, Crashes: 1},
		{Name: "X4 put, rollback", Phase: Switched, Incomplete: true, Old: First, Ops: []Op{first(Put)}, Reads: 2, Path: []Change{Rollback}, Faults: 2, Crashes: 1},
		{Name: "X5 put, cancel, start", Phase: Mirroring, Incomplete: true, New: First, Old: First, Ops: []Op{first(Put)}, Reads: 2, Path: []Change{Cancel, Start}, Faults: 1, Crashes: 1},
		{Name: "X6 delete then put, cancel, start, switch", Phase: Mirroring, Incomplete: true, New: First, Old: First, Ops: []Op{first(Delete), then(Put, 0)}, Reads: 1, Path: []Change{Cancel, Start, Switch}, Crashes: 1},
		{Name: "X7 put, start over a foreign object, switch", Phase: Passthrough, Incomplete: true, New: Foreign, Old: First, Ops: []Op{first(Put)}, Reads: 2, Path: []Change{Start, Switch}, Faults: 1, Crashes: 1},
		{Name: "X8 delete, start over an extra object, switch", Phase: Passthrough, Incomplete: true, New: Foreign, Ops: []Op{first(Delete)}, Reads: 2, Path: []Change{Start, Switch}, Faults: 1, Crashes: 1},
		{Name: "X10 delete then put, early switch, backfill done, rollback", Phase: Mirroring, Incomplete: true, Old: First, Ops: []Op{first(Delete), then(Put, 0)}, Reads: 1, Copies: 1, Tee: true, Conditional: true, StaleListing: true, Path: []Change{Switch, BackfillDone, Rollback}, Crashes: 1},
		{Name: "X9 put, copy from a read, cancel, start", Phase: Mirroring, Incomplete: true, Old: First, Ops: []Op{first(Put)}, Reads: 1, Copies: 1, Tee: true, Path: []Change{Cancel, Start}, Faults: 1, Crashes: 1},
	}
}

func multipartConfigs() []Config {
	return []Config{
		{Name: "U1 complete beside put", Phase: Mirroring, New: First, Old: First, Ops: []Op{first(Complete), first(Put)}, Reads: 2, LosesUpload: true, Faults: 1, Crashes: 1},
		{Name: "U2 complete beside delete, unconditional copy", Phase: Mirroring, Incomplete: true, Old: First, Ops: []Op{first(Complete), first(Delete)}, Reads: 1, Copies: 1, StaleListing: true, LosesUpload: true, Faults: 1, Crashes: 1, Eager: true},
		{Name: "U3 complete beside delete, switched, conditional copy", Phase: Switched, Incomplete: true, Old: First, Ops: []Op{first(Complete), first(Delete)}, Reads: 2, Copies: 1, Conditional: true, StaleListing: true, LosesUpload: true, Faults: 1, Crashes: 1, Eager: true},
		{Name: "U4 complete then delete, complete again, success", Phase: Mirroring, Ops: []Op{first(Complete), then(Delete, 0), then(CompleteAgain, 0)}, Reads: 1, LosesUpload: true, Idempotent: true, Faults: 1, Crashes: 1},
		{Name: "U5 complete then delete, complete again, no such upload", Phase: Mirroring, Ops: []Op{first(Complete), then(Delete, 0), then(CompleteAgain, 0)}, Reads: 1, LosesUpload: true, Faults: 1, Crashes: 1},
		{Name: "U6 complete then put, complete again, switched", Phase: Switched, Incomplete: true, Ops: []Op{first(Complete), then(Put, 0), then(CompleteAgain, 0)}, Reads: 1, LosesUpload: true, Idempotent: true, Faults: 1, Crashes: 1, Eager: true},
		{Name: "U7 complete, complete again, switch", Phase: Mirroring, Incomplete: true, New: First, Old: First, Ops: []Op{first(Complete), then(CompleteAgain, 0)}, Reads: 2, LosesUpload: true, Idempotent: true, Path: []Change{Switch}, Faults: 1, Crashes: 1},
		{Name: "U9 complete then delete, complete again, small", Phase: Mirroring, Ops: []Op{first(Complete), then(Delete, 0), then(CompleteAgain, 0)}, Idempotent: true, Faults: 1, Eager: true},
		{Name: "U8 complete, old read-only", Phase: Switched, Incomplete: true, ReadOnlyOld: true, Old: First, Ops: []Op{first(Complete), first(Delete)}, Reads: 2, Faults: 2, Crashes: 1},
	}
}

func copyConfigs() []Config {
	return []Config{
		{Name: "C1 copy, source is written", Phase: Mirroring, New: First, Old: First, HasSource: true, SourceNew: SourceFirst, SourceOld: SourceFirst, SourceWrites: true, Ops: []Op{first(CopyOp)}, Reads: 2, Faults: 2, Crashes: 1},
		{Name: "C2 copy, source is deleted", Phase: Mirroring, New: First, Old: First, HasSource: true, SourceNew: SourceFirst, SourceOld: SourceFirst, SourceWrites: true, SourceOp: Delete, Ops: []Op{first(CopyOp)}, Reads: 2, Faults: 2, Crashes: 1},
		{Name: "C3 copy beside delete, source only on old", Phase: Mirroring, Incomplete: true, Old: First, HasSource: true, SourceOld: SourceFirst, SourceWrites: true, Ops: []Op{first(CopyOp), first(Delete)}, Reads: 1, Faults: 1, Crashes: 1, Eager: true},
		{Name: "C4 copy, switched, source only on old and written", Phase: Switched, Incomplete: true, Old: First, HasSource: true, SourceOld: SourceFirst, SourceWrites: true, Ops: []Op{first(CopyOp)}, Reads: 2, Copies: 1, Conditional: true, StaleListing: true, Faults: 2, Crashes: 1},
		{Name: "C5 copy, switched, source only on old and deleted", Phase: Switched, Incomplete: true, Old: First, HasSource: true, SourceOld: SourceFirst, SourceWrites: true, SourceOp: Delete, Ops: []Op{first(CopyOp)}, Reads: 2, Copies: 1, Conditional: true, StaleListing: true, Faults: 2, Crashes: 1},
		{Name: "C6 copy beside delete, switched", Phase: Switched, Incomplete: true, Old: First, HasSource: true, SourceOld: SourceFirst, SourceWrites: true, Ops: []Op{first(CopyOp), first(Delete)}, Reads: 1, Faults: 1, Crashes: 1},
		{Name: "C7 copy, old read-only, source deleted", Phase: Switched, Incomplete: true, ReadOnlyOld: true, Old: First, HasSource: true, SourceOld: SourceFirst, SourceWrites: true, SourceOp: Delete, Ops: []Op{first(CopyOp)}, Reads: 2, Faults: 1, Crashes: 1, Path: []Change{CompleteMigration}},
		{Name: "C8 copy, switch, source written", Phase: Mirroring, Incomplete: true, New: First, Old: First, HasSource: true, SourceOld: SourceFirst, SourceWrites: true, Ops: []Op{first(CopyOp)}, Reads: 1, Faults: 1, Crashes: 1, Path: []Change{Switch}},
		{Name: "C11 copy, switched, source written, nothing fails", Phase: Switched, Incomplete: true, Old: First, HasSource: true, SourceOld: SourceFirst, SourceWrites: true, Ops: []Op{first(CopyOp)}, Reads: 2},
		{Name: "C9 put, copy onto itself", Phase: Mirroring, New: First, Old: First, Ops: []Op{first(Put), first(CopySelf)}, Reads: 2, Faults: 1, Crashes: 1},
		{Name: "C10 copy onto itself beside delete, switched", Phase: Switched, Incomplete: true, Old: First, Ops: []Op{first(CopySelf), first(Delete)}, Reads: 1, Copies: 1, Conditional: true, StaleListing: true, Faults: 1, Crashes: 1},
	}
}

func completeConfigs() []Config {
	return []Config{
		{Name: "F1 put beside delete, complete", Phase: Switched, New: First, Old: First, Ops: []Op{first(Put), first(Delete)}, Reads: 1, Path: []Change{CompleteMigration}, Faults: 1, Crashes: 1},
		{Name: "F2 delete, backfill done, complete, conditional copy", Phase: Switched, Incomplete: true, Old: First, Ops: []Op{first(Delete)}, Reads: 2, Copies: 1, Tee: true, Conditional: true, StaleListing: true, Path: []Change{BackfillDone, CompleteMigration}, Faults: 1, Crashes: 1},
		{Name: "F3 put then delete, backfill done, complete", Phase: Switched, Incomplete: true, Old: First, Ops: []Op{first(Put), then(Delete, 0)}, Reads: 2, Path: []Change{BackfillDone, CompleteMigration}, Faults: 1, Crashes: 1},
		{Name: "F4 delete then put, complete, old read-only", Phase: Switched, Incomplete: true, ReadOnlyOld: true, Old: First, Ops: []Op{first(Delete), then(Put, 0)}, Reads: 2, Path: []Change{CompleteMigration}, Faults: 1, Crashes: 1},
		{Name: "F5 delete, complete, old read-only, copy", Phase: Switched, Incomplete: true, ReadOnlyOld: true, Old: First, Ops: []Op{first(Delete)}, Reads: 2, Copies: 1, Tee: true, StaleListing: true, Path: []Change{CompleteMigration}, Faults: 2, Crashes: 1},
		{Name: "F6 put beside put, backfill done", Phase: Switched, Incomplete: true, Old: First, Ops: []Op{first(Put), first(Put)}, Reads: 2, Path: []Change{BackfillDone}, Faults: 1, Crashes: 1},
		{Name: "F7 delete then put, backfill done", Phase: Switched, Incomplete: true, Old: First, Ops: []Op{first(Delete), then(Put, 0)}, Reads: 2, Path: []Change{BackfillDone}, Faults: 1, Crashes: 1},
		{Name: "F8 put, all of it", Phase: Mirroring, Incomplete: true, Old: First, Ops: []Op{first(Put)}, Reads: 1, Copies: 1, Conditional: true, StaleListing: true, Path: []Change{BackfillDone, Switch, CompleteMigration}, Faults: 1, Crashes: 1},
		{Name: "F9 put, completed", Phase: Completed, New: First, Old: Foreign, Ops: []Op{first(Put), then(Delete, 0)}, Reads: 2, Faults: 1, Crashes: 1},
		{Name: "F11 delete then put, complete at once", Phase: Switched, Incomplete: true, Old: First, Ops: []Op{first(Delete), then(Put, 0)}, Reads: 2, Path: []Change{CompleteMigration}, Faults: 1, Crashes: 1},
		{Name: "F10 listing, delete, complete, old read-only", Phase: Switched, Incomplete: true, ReadOnlyOld: true, Old: First, Ops: []Op{first(Delete)}, Reads: 2, List: true, Path: []Change{CompleteMigration}, Faults: 1, Crashes: 1},
	}
}
