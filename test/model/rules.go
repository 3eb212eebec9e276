package model

import "fmt"

// Rule is something the gateway does to keep its invariants, or refrains from.
// A search with a rule off shows what the rule prevents.
type Rule uint8

// The rules, with the place in the design that states them.
const (
	// R1: who runs under an intent, and what its record outlives.
	CopyHasIntent  Rule = iota
	DurableFirst        // nothing reaches a store before its intent is durable (I1)
	GivenUpSettles      // an intent given up before it was durable is settled
	LogInOrder          // a record is not durable before the settlements that preceded it
	PassthroughHasIntents
	PendingIsDurable
	ForgetByID // a settlement removes its own record, not the key's
	// R2
	NoRetryOnPrimary
	// R3, I4
	OverlapIsPending
	BeginMoves
	AckMoves
	EndMoves
	SupersedeKnownOnly
	SupersedeNotByChange
	MergeKeepsUnknown
	// R4
	Quarantine
	CompareAfterQuarantine
	RepairMayBeUnknown
	RepairWhenIdle
	// R5
	CrashIsUnknown
	EarlierEpochIsNoTombstone
	// R6
	DirtyReadsPrimary
	ValidateRead
	ValidateFill
	ValidateJoin
	ValidateEpoch
	// R7
	OrderedWhileIncomplete
	// R8
	TombstoneIsTruth
	TombstoneWhenDurable
	DurableMoves
	DeleteRollsForward
	DeleteExcludes
	DeleteWaitsForUnknown
	WaitForCopy
	PromoteFirst
	AloneWhileIncomplete
	// R9
	HoldNew
	Drain
	ViewAtEntry
	NoPendingAtChange
	DropCacheAtChange
	BackfillDoneIsDurable
	BackfillDoneByR9
	// R9, R12: the end of the migration
	CompleteWhenBackfilled
	CompleteWhenTombstonesKnown
	CompletedNeverAsksOld
	// R10
	CopyOnlyClean
	TeeValidates
	TeeSameEpoch
	DirtyIsNotDone
	// R11
	CancelVoidsBackfill
	BaselineProven
	// R12
	ReadOnlyNeverWhenNewIsDown
	TombstoneStays
	UnconditionalCopyLooks
	TombstoneBecomesKnown
	// R13
	ListSnapshot
	ListPointRead
	ListNotAtEnd
	// Server-side copies and changes in place
	SourceClean
	SourceWatched
	SourcePromoted
	StampUnderIntent
	// Multipart uploads
	CompleteCompares
	CompleteNeverSupersedes

	ruleCount
)

var ruleNames = [ruleCount]string{
	CopyHasIntent:               "copy-has-intent",
	DurableFirst:                "durable-first",
	GivenUpSettles:              "given-up-settles",
	LogInOrder:                  "log-in-order",
	PassthroughHasIntents:       "passthrough-has-intents",
	PendingIsDurable:            "pending-is-durable",
	ForgetByID:                  "forget-by-id",
	NoRetryOnPrimary:            "no-retry-on-primary",
	OverlapIsPending:            "overlap-is-pending",
	BeginMoves:                  "begin-moves",
	AckMoves:                    "ack-moves",
	EndMoves:                    "end-moves",
	SupersedeKnownOnly:          "supersede-known-only",
	SupersedeNotByChange:        "supersede-not-by-change",
	MergeKeepsUnknown:           "merge-keeps-unknown",
	Quarantine:                  "quarantine",
	CompareAfterQuarantine:      "compare-after-quarantine",
	RepairMayBeUnknown:          "repair-may-be-unknown",
	RepairWhenIdle:              "repair-when-idle",
	CrashIsUnknown:              "crash-is-unknown",
	EarlierEpochIsNoTombstone:   "earlier-epoch-is-no-tombstone",
	DirtyReadsPrimary:           "dirty-reads-primary",
	ValidateRead:                "validate-read",
	ValidateFill:                "validate-fill",
	ValidateJoin:                "validate-join",
	ValidateEpoch:               "validate-epoch",
	OrderedWhileIncomplete:      "ordered-while-incomplete",
	TombstoneIsTruth:            "tombstone-is-truth",
	TombstoneWhenDurable:        "tombstone-when-durable",
	DurableMoves:                "durable-moves",
	DeleteRollsForward:          "delete-rolls-forward",
	DeleteExcludes:              "delete-excludes",
	DeleteWaitsForUnknown:       "delete-waits-for-unknown",
	WaitForCopy:                 "wait-for-copy",
	PromoteFirst:                "promote-first",
	AloneWhileIncomplete:        "alone-while-incomplete",
	HoldNew:                     "hold-new",
	Drain:                       "drain",
	ViewAtEntry:                 "view-at-entry",
	NoPendingAtChange:           "no-pending-at-change",
	DropCacheAtChange:           "drop-cache-at-change",
	BackfillDoneIsDurable:       "backfill-done-is-durable",
	BackfillDoneByR9:            "backfill-done-by-r9",
	DirtyIsNotDone:              "dirty-is-not-done",
	CancelVoidsBackfill:         "cancel-voids-backfill",
	CompleteWhenBackfilled:      "complete-when-backfilled",
	CompleteWhenTombstonesKnown: "complete-when-tombstones-known",
	CompletedNeverAsksOld:       "completed-never-asks-old",
	CopyOnlyClean:               "copy-only-clean",
	TeeValidates:                "tee-validates",
	TeeSameEpoch:                "tee-same-epoch",
	BaselineProven:              "baseline-proven",
	ReadOnlyNeverWhenNewIsDown:  "read-only-never-when-new-is-down",
	TombstoneStays:              "tombstone-stays",
	UnconditionalCopyLooks:      "unconditional-copy-looks",
	TombstoneBecomesKnown:       "tombstone-becomes-known",
	ListSnapshot:                "list-snapshot",
	ListPointRead:               "list-point-read",
	ListNotAtEnd:                "list-not-at-end",
	SourceClean:                 "source-clean",
	SourceWatched:               "source-watched",
	SourcePromoted:              "source-promoted",
	StampUnderIntent:            "stamp-under-intent",
	CompleteNeverSupersedes:     "complete-never-supersedes",
	CompleteCompares:            "complete-compares",
}

func (r Rule) String() string { return ruleNames[r] }

// ParseRule finds a rule by its name.
func ParseRule(name string) (Rule, error) {
	for r, n := range ruleNames {
		if n == name {
			return Rule(r), nil
		}
	}
	return 0, fmt.Errorf("there is no rule %q", name)
}

// RuleSet is a set of rules.
type RuleSet [ruleCount]bool

// With is the set and the rule.
func (s RuleSet) With(r Rule) RuleSet {
	s[r] = true
	return s
}
