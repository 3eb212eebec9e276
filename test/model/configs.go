package model

// Configs are the configurations that together cover the protocol.
func Configs() []Config {
	var all []Config
	for _, group := range [][]Config{
		mirroringConfigs(), switchedConfigs(), readOnlyConfigs(), listConfigs(), phaseConfigs(),
		multipartConfigs(), copyConfigs(), completeConfigs(), durableConfigs(), streamConfigs(),
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
		{
			Name:  "M1 put then delete",
			Phase: Mirroring, New: First, Old: First,
			Ops: []Op{first(Put), then(Delete, 0)}, Reads: 2,
			Faults: 2, Crashes: 1,
		},
		{
			Name:  "M2 put beside put",
			Phase: Mirroring, New: First, Old: First,
			Ops: []Op{first(Put), first(Put)}, Reads: 2,
			Faults: 1, Crashes: 1,
		},
		{
			Name:  "M3 delete, conditional copy",
			Phase: Mirroring, Old: First, Incomplete: true,
			Ops: []Op{first(Delete)}, Reads: 2,
			Copies: 1, Tee: true, StaleListing: true,
			Faults: 2, Crashes: 1, Conditional: true,
		},
		{
			Name:  "M4 delete, unconditional copy",
			Phase: Mirroring, Old: First, Incomplete: true,
			Ops: []Op{first(Delete)}, Reads: 2,
			Copies: 1, Tee: true, StaleListing: true,
			Faults: 2, Crashes: 1,
		},
		{
			Name:  "M5 put beside delete, unconditional copy",
			Phase: Mirroring, Old: First, Incomplete: true,
			Ops: []Op{first(Put), first(Delete)}, Reads: 1,
			Copies: 1, Tee: true, StaleListing: true,
			Faults: 1, Crashes: 1, Eager: true,
		},
		{
			Name:  "M6 put-if-absent beside delete",
			Phase: Mirroring, New: First, Old: First,
			Ops: []Op{first(PutIfAbsent), first(Delete)}, Reads: 2,
			Faults: 1, Crashes: 1, Strict: true,
		},
		{
			Name:  "M7 put, errors are definite",
			Phase: Mirroring, New: First, Old: First,
			Ops: []Op{first(Put)}, Reads: 2,
			Faults: 2, Crashes: 1, Strict: true,
		},
		{
			Name:  "M8 put then delete, beside put",
			Phase: Mirroring, New: First, Old: First,
			Ops: []Op{first(Put), then(Delete, 0), first(Put)}, Reads: 1,
			Faults: 1, Eager: true,
		},
		{
			Name:  "M9 delete, errors are definite, copy",
			Phase: Mirroring, Old: First, Incomplete: true,
			Ops: []Op{first(Delete)}, Reads: 2,
			Copies: 1,
			Faults: 2, Crashes: 1, Conditional: true, Strict: true,
		},
		{
			Name:  "M10 put then tag",
			Phase: Mirroring, New: First, Old: First,
			Ops: []Op{first(Put), then(Tag, 0)}, Reads: 2,
			Faults: 2, Crashes: 1,
		},
		{
			Name:  "M11 put beside tag",
			Phase: Mirroring, New: First, Old: First,
			Ops: []Op{first(Put), first(Tag)}, Reads: 2,
			Faults: 1, Crashes: 1,
		},
		{
			Name:  "M12 put then put then put, one store fails",
			Phase: Mirroring, New: First, Old: First,
			Ops: []Op{first(Put), then(Put, 0), then(Put, 1)}, Reads: 1,
			Faults: 2,
		},
	}
}

func switchedConfigs() []Config {
	return []Config{
		{
			Name:  "S1 delete, conditional copy",
			Phase: Switched, Old: First, Incomplete: true,
			Ops: []Op{first(Delete)}, Reads: 2,
			Copies: 1, Tee: true, StaleListing: true,
			Faults: 2, Crashes: 1, PrimaryDown: true, Conditional: true,
		},
		{
			Name:  "S2 put, conditional copy",
			Phase: Switched, Old: First, Incomplete: true,
			Ops: []Op{first(Put)}, Reads: 2,
			Copies: 1, Tee: true, StaleListing: true,
			Faults: 2, Crashes: 1, PrimaryDown: true, Conditional: true,
		},
		{
			Name:  "S3 put then delete, unconditional copy",
			Phase: Switched, Old: First, Incomplete: true,
			Ops: []Op{first(Put), then(Delete, 0)}, Reads: 2,
			Copies: 1, Tee: true, StaleListing: true,
			Faults: 1, Crashes: 1,
		},
		{
			Name:  "S4 put beside delete, on both stores",
			Phase: Switched, New: First, Old: First, Incomplete: true,
			Ops: []Op{first(Put), first(Delete)}, Reads: 2,
			Faults: 1, Crashes: 1, PrimaryDown: true,
		},
		{
			Name:  "S5 put-if-absent beside delete, conditional copy",
			Phase: Switched, Old: First, Incomplete: true,
			Ops: []Op{first(PutIfAbsent), first(Delete)}, Reads: 1,
			Copies: 1, Tee: true, StaleListing: true,
			Faults: 1, Crashes: 1, Conditional: true, Strict: true,
		},
		{
			Name:  "S6 put, errors are definite",
			Phase: Switched, Old: First, Incomplete: true,
			Ops: []Op{first(Put)}, Reads: 2,
			Faults: 2, Crashes: 1, Strict: true,
		},
		{
			Name:  "S7 put beside put",
			Phase: Switched, Old: First, Incomplete: true,
			Ops: []Op{first(Put), first(Put)}, Reads: 2,
			Faults: 1, Crashes: 1,
		},
		{
			Name:  "S8 delete then put, conditional copy",
			Phase: Switched, Old: First, Incomplete: true,
			Ops: []Op{first(Delete), then(Put, 0)}, Reads: 2,
			Copies: 1, Tee: true, StaleListing: true,
			Faults: 1, Crashes: 1, Conditional: true,
		},
		{
			Name:  "S9 put beside delete, backfill complete",
			Phase: Switched, New: First, Old: First,
			Ops: []Op{first(Put), first(Delete)}, Reads: 2,
			Faults: 1, Crashes: 1, PrimaryDown: true,
		},
		{
			Name:  "S10 tag beside delete, conditional copy",
			Phase: Switched, Old: First, Incomplete: true,
			Ops: []Op{first(Tag), first(Delete)}, Reads: 2,
			Copies: 1, StaleListing: true,
			Faults: 1, Crashes: 1, Conditional: true,
		},
		{
			Name:  "S11 put beside delete, three reads",
			Phase: Switched, Old: First, Incomplete: true,
			Ops: []Op{first(Put), first(Delete)}, Reads: 3,
			Faults: 0, Crashes: 1,
		},
	}
}

func readOnlyConfigs() []Config {
	return []Config{
		{
			Name:  "R1 put then delete, unconditional copy",
			Phase: Switched, Old: First, Incomplete: true, ReadOnlyOld: true,
			Ops: []Op{first(Put), then(Delete, 0)}, Reads: 2,
			Copies: 1, Tee: true, StaleListing: true,
			Faults: 1, Crashes: 1, PrimaryDown: true,
		},
		{
			Name:  "R2 delete then put, conditional copy",
			Phase: Switched, Old: First, Incomplete: true, ReadOnlyOld: true,
			Ops: []Op{first(Delete), then(Put, 0)}, Reads: 2,
			Copies: 1, Tee: true, StaleListing: true,
			Faults: 2, Crashes: 1, PrimaryDown: true, Conditional: true,
		},
		{
			Name:  "R3 delete then put then delete",
			Phase: Switched, Old: First, Incomplete: true, ReadOnlyOld: true,
			Ops: []Op{first(Delete), then(Put, 0), then(Delete, 1)}, Reads: 2,
			Faults: 1, Crashes: 1,
		},
		{
			Name:  "R4 tag then delete, conditional copy",
			Phase: Switched, Old: First, Incomplete: true, ReadOnlyOld: true,
			Ops: []Op{first(Tag), then(Delete, 0)}, Reads: 2,
			Copies: 1, Tee: true, StaleListing: true,
			Faults: 1, Crashes: 1, Conditional: true,
		},
		{
			Name:  "R5 complete then delete, complete again",
			Phase: Switched, Old: First, Incomplete: true, ReadOnlyOld: true,
			Ops: []Op{first(Complete), then(Delete, 0), then(CompleteAgain, 0)}, Reads: 2,
			Faults: 1, Crashes: 1, Idempotent: true,
		},
	}
}

func listConfigs() []Config {
	return []Config{
		{
			Name:  "L1 delete, on both stores",
			Phase: Switched, New: First, Old: First, Incomplete: true,
			Ops: []Op{first(Delete)}, Reads: 2, List: true,
			Faults: 2, Crashes: 1,
		},
		{
			Name:  "L2 delete then put, conditional copy",
			Phase: Switched, Old: First, Incomplete: true,
			Ops: []Op{first(Delete), then(Put, 0)}, Reads: 2, List: true,
			Copies: 1, StaleListing: true,
			Faults: 1, Crashes: 1, Conditional: true,
		},
		{
			Name:  "L3 put then delete, old read-only",
			Phase: Switched, Old: First, Incomplete: true, ReadOnlyOld: true,
			Ops: []Op{first(Put), then(Delete, 0)}, Reads: 2, List: true,
			Faults: 1, Crashes: 1,
		},
		{
			Name:  "L4 list, put, rollback",
			Phase: Switched, New: First, Old: First, Incomplete: true,
			Ops: []Op{first(Put)}, Reads: 2, List: true,
			Path:   []Change{Rollback},
			Faults: 1, Crashes: 1,
		},
	}
}
