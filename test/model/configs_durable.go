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
