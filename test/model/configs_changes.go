package model

func phaseConfigs() []Config {
	return []Config{
		{
			Name:  "X0 put, start, unconditional copy",
			Phase: Passthrough, Old: First, Incomplete: true,
			Ops: []Op{first(Put)}, Reads: 2,
			Copies: 1, Tee: true, Path: []Change{Start},
			Faults: 1, Crashes: 1,
		},
		{
			Name:  "X1 put beside delete, switch, rollback",
			Phase: Mirroring, New: First, Old: First, Incomplete: true,
			Ops: []Op{first(Put), first(Delete)}, Reads: 1,
			Path:   []Change{Switch, Rollback},
			Faults: 1,
		},
		{
			Name:  "X2 put, early switch, rollback, conditional copy",
			Phase: Mirroring, Old: First, Incomplete: true,
			Ops: []Op{first(Put)}, Reads: 2,
			Copies: 1, Tee: true, StaleListing: true, Path: []Change{Switch, Rollback},
			Faults: 1, Crashes: 1, Conditional: true,
		},
		{
			Name:  "X3 delete, early switch, rollback, unconditional copy",
			Phase: Mirroring, Old: First, Incomplete: true,
			Ops: []Op{first(Delete)}, Reads: 2,
			Copies: 1, Tee: true, StaleListing: true, Path: []Change{Switch, Rollback},
			Faults: 1, Crashes: 1,
		},
		{
			Name:  "X4 put, rollback",
			Phase: Switched, Old: First, Incomplete: true,
			Ops: []Op{first(Put)}, Reads: 2,
			Path:   []Change{Rollback},
			Faults: 2, Crashes: 1,
		},
		{
			Name:  "X5 put, cancel, start",
			Phase: Mirroring, New: First, Old: First, Incomplete: true,
			Ops: []Op{first(Put)}, Reads: 2,
			Path:   []Change{Cancel, Start},
			Faults: 1, Crashes: 1,
		},
		{
			Name:  "X6 delete then put, cancel, start, switch",
			Phase: Mirroring, New: First, Old: First, Incomplete: true,
			Ops: []Op{first(Delete), then(Put, 0)}, Reads: 1,
			Path:    []Change{Cancel, Start, Switch},
			Crashes: 1,
		},
		{
			Name:  "X7 put, start over a foreign object, switch",
			Phase: Passthrough, New: Foreign, Old: First, Incomplete: true,
			Ops: []Op{first(Put)}, Reads: 2,
			Path:   []Change{Start, Switch},
			Faults: 1, Crashes: 1,
		},
		{
			Name:  "X8 delete, start over an extra object, switch",
			Phase: Passthrough, New: Foreign, Incomplete: true,
			Ops: []Op{first(Delete)}, Reads: 2,
			Path:   []Change{Start, Switch},
			Faults: 1, Crashes: 1,
		},
		{
			Name:  "X9 put, copy from a read, cancel, start",
			Phase: Mirroring, Old: First, Incomplete: true,
			Ops: []Op{first(Put)}, Reads: 1,
			Copies: 1, Tee: true, Path: []Change{Cancel, Start},
			Faults: 1, Crashes: 1,
		},
		{
			Name:  "X10 delete then put, early switch, backfill done, rollback",
			Phase: Mirroring, Old: First, Incomplete: true,
			Ops: []Op{first(Delete), then(Put, 0)}, Reads: 1,
			Copies: 1, Tee: true, StaleListing: true, Path: []Change{Switch, BackfillDone, Rollback},
			Crashes: 1, Conditional: true,
		},
		{
			Name:  "X11 put-if-absent, backfill done",
			Phase: Mirroring, Old: First, Incomplete: true,
			Ops: []Op{first(PutIfAbsent)}, Reads: 1,
			Copies: 1,
			Path:   []Change{BackfillDone, Switch},
			Faults: 1, Crashes: 1,
		},
		{
			Name:  "X12 put, backfill done, cancel, start, switch",
			Phase: Mirroring, New: First, Old: First, Incomplete: true,
			Ops: []Op{first(Put), first(Delete)}, Reads: 1,
			Path:   []Change{BackfillDone, Cancel, Start, Switch},
			Faults: 0, Crashes: 1,
		},
		{
			Name:  "X13 put, backfill done, cancel, start, to an empty store",
			Phase: Mirroring, Incomplete: true,
			Ops: []Op{first(Put)}, Reads: 2,
			Copies: 1, Conditional: true,
			Path:   []Change{BackfillDone, Cancel, Start, Switch},
			Faults: 1, Crashes: 1,
		},
	}
}

func multipartConfigs() []Config {
	return []Config{
		{
			Name:  "U1 complete beside put",
			Phase: Mirroring, New: First, Old: First,
			Ops: []Op{first(Complete), first(Put)}, Reads: 2,
			Faults: 1, Crashes: 1, LosesUpload: true,
		},
		{
			Name:  "U2 complete beside delete, unconditional copy",
			Phase: Mirroring, Old: First, Incomplete: true,
			Ops: []Op{first(Complete), first(Delete)}, Reads: 1,
			Copies: 1, StaleListing: true,
			Faults: 1, Crashes: 1, LosesUpload: true, Eager: true,
		},
		{
			Name:  "U3 complete beside delete, switched, conditional copy",
			Phase: Switched, Old: First, Incomplete: true,
			Ops: []Op{first(Complete), first(Delete)}, Reads: 2,
			Copies: 1, StaleListing: true,
			Faults: 1, Crashes: 1, Conditional: true, LosesUpload: true, Eager: true,
		},
		{
			Name:  "U4 complete then delete, complete again, success",
			Phase: Mirroring,
			Ops:   []Op{first(Complete), then(Delete, 0), then(CompleteAgain, 0)}, Reads: 1,
			Faults: 1, Crashes: 1, Idempotent: true, LosesUpload: true,
		},
		{
			Name:  "U5 complete then delete, complete again, no such upload",
			Phase: Mirroring,
			Ops:   []Op{first(Complete), then(Delete, 0), then(CompleteAgain, 0)}, Reads: 1,
			Faults: 1, Crashes: 1, LosesUpload: true,
		},
		{
			Name:  "U6 complete then put, complete again, switched",
			Phase: Switched, Incomplete: true,
			Ops: []Op{first(Complete), then(Put, 0), then(CompleteAgain, 0)}, Reads: 1,
			Faults: 1, Crashes: 1, Idempotent: true, LosesUpload: true, Eager: true,
		},
		{
			Name:  "U7 complete, complete again, switch",
			Phase: Mirroring, New: First, Old: First, Incomplete: true,
			Ops: []Op{first(Complete), then(CompleteAgain, 0)}, Reads: 2,
			Path:   []Change{Switch},
			Faults: 1, Crashes: 1, Idempotent: true, LosesUpload: true,
		},
		{
			Name:  "U8 complete, old read-only",
			Phase: Switched, Old: First, Incomplete: true, ReadOnlyOld: true,
			Ops: []Op{first(Complete), first(Delete)}, Reads: 2,
			Faults: 2, Crashes: 1,
		},
		{
			Name:   "U9 complete then delete, complete again, small",
			Phase:  Mirroring,
			Ops:    []Op{first(Complete), then(Delete, 0), then(CompleteAgain, 0)},
			Faults: 1, Idempotent: true, Eager: true,
		},
		{
			Name:  "U10 complete then delete, complete again, switched, small",
			Phase: Switched, Incomplete: true,
			Ops: []Op{first(Complete), then(Delete, 0), then(CompleteAgain, 0)}, Reads: 1,
			Faults: 1, Idempotent: true, Eager: true,
		},
	}
}

func copyConfigs() []Config {
	return []Config{
		{
			Name:  "C1 copy, source is written",
			Phase: Mirroring, New: First, Old: First, HasSource: true, SourceNew: SourceFirst, SourceOld: SourceFirst,
			SourceWrites: true, Ops: []Op{first(CopyOp)}, Reads: 2,
			Faults: 2, Crashes: 1,
		},
		{
			Name:  "C2 copy, source is deleted",
			Phase: Mirroring, New: First, Old: First, HasSource: true, SourceNew: SourceFirst, SourceOld: SourceFirst,
			SourceWrites: true, SourceOp: Delete, Ops: []Op{first(CopyOp)}, Reads: 2,
			Faults: 2, Crashes: 1,
		},
		{
			Name:  "C3 copy beside delete, source only on old",
			Phase: Mirroring, Old: First, Incomplete: true, HasSource: true, SourceOld: SourceFirst,
			SourceWrites: true, Ops: []Op{first(CopyOp), first(Delete)}, Reads: 1,
			Faults: 1, Crashes: 1, Eager: true,
		},
		{
			Name:  "C4 copy, switched, source only on old and written",
			Phase: Switched, Old: First, Incomplete: true, HasSource: true, SourceOld: SourceFirst,
			SourceWrites: true, Ops: []Op{first(CopyOp)}, Reads: 2,
			Copies: 1, StaleListing: true,
			Faults: 2, Crashes: 1, Conditional: true,
		},
		{
			Name:  "C5 copy, switched, source only on old and deleted",
			Phase: Switched, Old: First, Incomplete: true, HasSource: true, SourceOld: SourceFirst,
			SourceWrites: true, SourceOp: Delete, Ops: []Op{first(CopyOp)}, Reads: 2,
			Copies: 1, StaleListing: true,
			Faults: 2, Crashes: 1, Conditional: true,
		},
		{
			Name:  "C6 copy beside delete, switched",
			Phase: Switched, Old: First, Incomplete: true, HasSource: true, SourceOld: SourceFirst,
			SourceWrites: true, Ops: []Op{first(CopyOp), first(Delete)}, Reads: 1,
			Faults: 1, Crashes: 1,
		},
		{
			Name:  "C7 copy, old read-only, source deleted",
			Phase: Switched, Old: First, Incomplete: true, ReadOnlyOld: true, HasSource: true, SourceOld: SourceFirst,
			SourceWrites: true, SourceOp: Delete, Ops: []Op{first(CopyOp)}, Reads: 2,
			Path:   []Change{CompleteMigration},
			Faults: 1, Crashes: 1,
		},
		{
			Name:  "C8 copy, switch, source written",
			Phase: Mirroring, New: First, Old: First, Incomplete: true, HasSource: true, SourceOld: SourceFirst,
			SourceWrites: true, Ops: []Op{first(CopyOp)}, Reads: 1,
			Path:   []Change{Switch},
			Faults: 1, Crashes: 1,
		},
		{
			Name:  "C9 put, copy onto itself",
			Phase: Mirroring, New: First, Old: First,
			Ops: []Op{first(Put), first(CopySelf)}, Reads: 2,
			Faults: 1, Crashes: 1,
		},
		{
			Name:  "C10 copy onto itself beside delete, switched",
			Phase: Switched, Old: First, Incomplete: true,
			Ops: []Op{first(CopySelf), first(Delete)}, Reads: 1,
			Copies: 1, StaleListing: true,
			Faults: 1, Crashes: 1, Conditional: true,
		},
		{
			Name:  "C11 copy, switched, source written, nothing fails",
			Phase: Switched, Old: First, Incomplete: true, HasSource: true, SourceOld: SourceFirst,
			SourceWrites: true, Ops: []Op{first(CopyOp)}, Reads: 2,
		},
	}
}

func completeConfigs() []Config {
	return []Config{
		{
			Name:  "F1 put beside delete, complete",
			Phase: Switched, New: First, Old: First,
			Ops: []Op{first(Put), first(Delete)}, Reads: 1,
			Path:   []Change{CompleteMigration},
			Faults: 1, Crashes: 1,
		},
		{
			Name:  "F2 delete, backfill done, complete, conditional copy",
			Phase: Switched, Old: First, Incomplete: true,
			Ops: []Op{first(Delete)}, Reads: 2,
			Copies: 1, Tee: true, StaleListing: true, Path: []Change{BackfillDone, CompleteMigration},
			Faults: 1, Crashes: 1, Conditional: true,
		},
		{
			Name:  "F3 put then delete, backfill done, complete",
			Phase: Switched, Old: First, Incomplete: true,
			Ops: []Op{first(Put), then(Delete, 0)}, Reads: 2,
			Path:   []Change{BackfillDone, CompleteMigration},
			Faults: 1, Crashes: 1,
		},
		{
			Name:  "F4 delete then put, complete, old read-only",
			Phase: Switched, Old: First, Incomplete: true, ReadOnlyOld: true,
			Ops: []Op{first(Delete), then(Put, 0)}, Reads: 2,
			Path:   []Change{CompleteMigration},
			Faults: 1, Crashes: 1,
		},
		{
			Name:  "F5 delete, complete, old read-only, copy",
			Phase: Switched, Old: First, Incomplete: true, ReadOnlyOld: true,
			Ops: []Op{first(Delete)}, Reads: 2,
			Copies: 1, Tee: true, StaleListing: true, Path: []Change{CompleteMigration},
			Faults: 2, Crashes: 1,
		},
		{
			Name:  "F6 put beside put, backfill done",
			Phase: Switched, Old: First, Incomplete: true,
			Ops: []Op{first(Put), first(Put)}, Reads: 2,
			Path:   []Change{BackfillDone},
			Faults: 1, Crashes: 1,
		},
		{
			Name:  "F7 delete then put, backfill done",
			Phase: Switched, Old: First, Incomplete: true,
			Ops: []Op{first(Delete), then(Put, 0)}, Reads: 2,
			Path:   []Change{BackfillDone},
			Faults: 1, Crashes: 1,
		},
		{
			Name:  "F8 put, all of it",
			Phase: Mirroring, Old: First, Incomplete: true,
			Ops: []Op{first(Put)}, Reads: 1,
			Copies: 1, StaleListing: true, Path: []Change{BackfillDone, Switch, CompleteMigration},
			Faults: 1, Crashes: 1, Conditional: true,
		},
		{
			Name:  "F9 put, completed",
			Phase: Completed, New: First, Old: Foreign,
			Ops: []Op{first(Put), then(Delete, 0)}, Reads: 2,
			Faults: 1, Crashes: 1,
		},
		{
			Name:  "F10 listing, delete, complete, old read-only",
			Phase: Switched, Old: First, Incomplete: true, ReadOnlyOld: true,
			Ops: []Op{first(Delete)}, Reads: 2, List: true,
			Path:   []Change{CompleteMigration},
			Faults: 1, Crashes: 1,
		},
		{
			Name:  "F11 delete then put, complete at once",
			Phase: Switched, Old: First, Incomplete: true,
			Ops: []Op{first(Delete), then(Put, 0)}, Reads: 2,
			Path:   []Change{CompleteMigration},
			Faults: 1, Crashes: 1,
		},
	}
}
