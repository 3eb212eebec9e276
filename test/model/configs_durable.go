package model

// durableConfigs are about intents that a crash can forget.
func durableConfigs() []Config {
	return []Config{
		{
			Name:  "D1 delete, switched, slow disk",
			Phase: Switched, Old: First, Incomplete: true,
			Ops: []Op{first(Delete)}, Reads: 2,
			Faults: 1, Crashes: 1, SlowDisk: true,
		},
		{
			Name:  "D2 put then delete, mirroring, slow disk",
			Phase: Mirroring, New: First, Old: First,
			Ops: []Op{first(Put), then(Delete, 0)}, Reads: 2,
			Faults: 1, Crashes: 1, SlowDisk: true, Strict: true,
		},
		{
			Name:  "D3 delete, old read-only, slow disk, listed",
			Phase: Switched, Old: First, Incomplete: true, ReadOnlyOld: true,
			Ops: []Op{first(Delete)}, Reads: 2, List: true,
			Faults: 1, Crashes: 2, SlowDisk: true,
		},
		{
			Name:  "D4 delete, slow disk, conditional copy",
			Phase: Switched, Old: First, Incomplete: true,
			Ops: []Op{first(Delete)}, Reads: 2,
			Copies: 1, Tee: true, StaleListing: true,
			Faults: 1, Crashes: 1, Conditional: true, SlowDisk: true,
		},
		{
			Name:  "D5 put beside delete, slow disk, conditional copy",
			Phase: Switched, Old: First, Incomplete: true,
			Ops: []Op{first(Put), first(Delete)}, Reads: 2, Copies: 1,
			Faults: 1, Crashes: 1, Conditional: true, SlowDisk: true,
		},
		{
			Name:  "D6 put beside delete, old read-only, slow disk, conditional copy",
			Phase: Switched, Old: First, Incomplete: true, ReadOnlyOld: true,
			Ops: []Op{first(Put), first(Delete)}, Reads: 2, Copies: 1,
			Crashes: 1, Conditional: true, SlowDisk: true,
		},
		{
			Name:  "D7 put then delete, listed, slow disk",
			Phase: Switched, Old: First, Incomplete: true,
			Ops: []Op{first(Put), then(Delete, 0)}, Reads: 2, List: true,
			Faults: 1, Crashes: 1, SlowDisk: true,
		},
		{
			Name:  "D8 delete, early switch, rollback, slow disk",
			Phase: Mirroring, Old: First, Incomplete: true,
			Ops: []Op{first(Delete)}, Reads: 2,
			Copies: 1, Tee: true, Path: []Change{Switch, Rollback},
			Faults: 1, Crashes: 1, SlowDisk: true,
		},
	}
}

// streamConfigs are about bodies that come in under one phase and enter in another.
func streamConfigs() []Config {
	return []Config{
		{
			Name:  "P1 put streams, start over a foreign object, switch",
			Phase: Passthrough, New: Foreign, Old: First, Incomplete: true,
			Ops: []Op{first(Put)}, Reads: 2,
			Path:   []Change{Start, Switch},
			Faults: 1, Crashes: 1, Streams: true, Strict: true,
		},
		{
			Name:  "P2 put streams, early switch, rollback",
			Phase: Mirroring, Old: First, Incomplete: true,
			Ops: []Op{first(Put)}, Reads: 2,
			Copies: 1, Path: []Change{Switch, Rollback},
			Faults: 1, Crashes: 1, Streams: true, Strict: true, Conditional: true,
		},
		{
			Name:  "P3 put-if-absent streams beside a delete, switch",
			Phase: Mirroring, New: First, Old: First,
			Ops: []Op{first(PutIfAbsent), first(Delete)}, Reads: 1,
			Path:   []Change{Switch},
			Faults: 1, Crashes: 1, Streams: true, Strict: true,
		},
		{
			Name:  "P4 put streams beside a delete, rollback, cancel",
			Phase: Switched, Old: First, Incomplete: true,
			Ops: []Op{first(Put), first(Delete)}, Reads: 1,
			Path:   []Change{Rollback, Cancel},
			Faults: 1, Streams: true, SlowDisk: true,
		},
		{
			Name:  "P5 put streams then delete, backfill done, complete",
			Phase: Switched, Old: First, Incomplete: true,
			Ops: []Op{first(Put), then(Delete, 0)}, Reads: 2,
			Path:   []Change{BackfillDone, CompleteMigration},
			Faults: 1, Crashes: 1, Streams: true,
		},
	}
}
