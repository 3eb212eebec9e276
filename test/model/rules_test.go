package model

import (
	"strings"
	"testing"
)

// needed has, for each rule, a configuration that goes wrong without it, and how.
var needed = []struct {
	rule   Rule
	config string // the first word of its name
	how    string
}{
	{CopyHasIntent, "M3", "clean with a late request"},
	{DurableFirst, "D1", "clean with a late request"},
	{GivenUpSettles, "D6", "not linearizable"},
	{GivenUpSettles, "D5", "clean with a late request"},
	{LogInOrder, "D4", "not linearizable"},
	{PassthroughHasIntents, "X0", "clean with a late request"},
	{PendingIsDurable, "M1", "clean with a late request"},
	{ForgetByID, "L3", "clean with a late request"},
	{NoRetryOnPrimary, "M7", "not linearizable"},
	{OverlapIsPending, "M2", "clean but unequal"},
	{BeginMoves, "M7", "not linearizable"},
	{AckMoves, "M7", "not linearizable"},
	{EndMoves, "F9", "not linearizable"},
	{SupersedeNotByChange, "M10", "clean but unequal"},
	{MergeKeepsUnknown, "S7", "clean with a late request"},
	{Quarantine, "M7", "clean with a late request"},
	{CompareAfterQuarantine, "S6", "clean but unequal"},
	{RepairMayBeUnknown, "L1", "clean with a late request"},
	{RepairWhenIdle, "L2", "clean but unequal"},
	{CrashIsUnknown, "M7", "clean with a late request"},
	{EarlierEpochIsNoTombstone, "X6", "not linearizable"},
	{DirtyReadsPrimary, "X8", "not linearizable"},
	{ValidateRead, "M7", "not linearizable"},
	{ValidateFill, "F9", "not linearizable"},
	{ValidateJoin, "F9", "not linearizable"},
	{ValidateEpoch, "X4", "not linearizable"},
	{ValidateEpoch, "L4", "not linearizable"},
	{OrderedWhileIncomplete, "S6", "not linearizable"},
	{TombstoneIsTruth, "R3", "not linearizable"},
	{TombstoneWhenDurable, "D1", "not linearizable"},
	{TombstoneWhenDurable, "D3", "not linearizable"},
	{DurableMoves, "D7", "not linearizable"},
	{DeleteRollsForward, "S1", "not linearizable"},
	{DeleteExcludes, "S5", "not linearizable"},
	{DeleteWaitsForUnknown, "S11", "not linearizable"},
	{WaitForCopy, "S1", "not linearizable"},
	{PromoteFirst, "R4", "not linearizable"},
	{AloneWhileIncomplete, "C11", "not linearizable"},
	{AloneWhileIncomplete, "U10", "not linearizable"},
	{Drain, "X4", ""},
	{ViewAtEntry, "P1", "clean but unequal"},
	{ViewAtEntry, "P2", "not linearizable"},
	{NoPendingAtChange, "X8", "not linearizable"},
	{NoPendingAtChange, "F11", "not linearizable"},
	{BackfillDoneIsDurable, "F7", "not linearizable"},
	{BackfillDoneByR9, "F7", "clean but unequal"},
	{CompleteWhenBackfilled, "F2", ""},
	{CompleteWhenTombstonesKnown, "F4", "clean with a late request"},
	{CompletedNeverAsksOld, "F9", "not linearizable"},
	{CopyOnlyClean, "S1", "not linearizable"},
	{TeeValidates, "M3", "clean but unequal"},
	{DirtyIsNotDone, "X11", "clean but unequal"},
	{CancelVoidsBackfill, "X13", "clean but unequal"},
	{BaselineProven, "X8", "clean but unequal"},
	{ReadOnlyNeverWhenNewIsDown, "R1", "not linearizable"},
	{TombstoneStays, "F10", "not linearizable"},
	{UnconditionalCopyLooks, "R1", "not linearizable"},
	{TombstoneBecomesKnown, "R2", "never comes to rest"},
	{ListSnapshot, "F10", "not linearizable"},
	{ListPointRead, "L3", "not linearizable"},
	{ListNotAtEnd, "L3", "not linearizable"},
	{SourceClean, "C1", "clean but unequal"},
	{SourceWatched, "C1", "clean but unequal"},
	{SourcePromoted, "C7", "not linearizable"},
	{StampUnderIntent, "C9", "clean but unequal"},
	{CompleteCompares, "U9", "clean but unequal"},
	{CompleteNeverSupersedes, "R5", "not linearizable"},
}

// notNeeded are the rules without which nothing went wrong in any configuration.
// They are kept for the reasons given.
var notNeeded = map[Rule]string{
	HoldNew:            "a change only ends sooner when nothing new begins: liveness under load",
	DropCacheAtChange:  "what the cache holds of a clean key is right in the next phase too",
	TeeSameEpoch:       "a counter that did not move vouches for the copy in any phase",
	SupersedeKnownOnly: "an older intent of unknown outcome is an overlap already",
}

func TestEveryRuleIsNeeded(t *testing.T) {
	covered := make(map[Rule]bool)
	for _, n := range needed {
		covered[n.rule] = true
		t.Run(n.rule.String()+" "+n.config, func(t *testing.T) {
			c, ok := ConfigNamed(n.config)
			if !ok {
				t.Fatalf("there is no configuration %s", n.config)
			}
			r := NewModel(c, RuleSet{}.With(n.rule)).Search(Limits{States: 600_000, Live: n.how == "never comes to rest"})
			if r.Violation == "" || n.how != "" && r.Violation != n.how {
				t.Errorf("without the rule: %q after %d states, want %q", r.Violation, r.States, n.how)
			}
			t.Logf("%s after %d states:\n  %s", r.Violation, r.States, strings.Join(r.Trace, "\n  "))
		})
	}
	for r := range ruleCount {
		if covered[r] == (notNeeded[r] != "") {
			t.Errorf("rule %v is in neither table, or in both", r)
		}
	}
}
