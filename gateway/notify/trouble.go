package notify

import "time"

// trouble is a condition that an operator has to know of.
type trouble struct {
	condition string
	bad       bool // the status that is trouble
	// after is how long the status must last before anyone is told, of the bad one as of
	// the good one after it.
	after time.Duration
	title string
	todo  string
}

// settle is how long a flap may last.
const settle = 15 * time.Second

// StoreAnswers is the condition of a store that it answers.
const StoreAnswers = "answers"

// troubles are all there are. Other conditions say how far a migration is, or what an
// operator wanted: backfilled, verified, baseline and reversible are asked by the guards
// of the command that needs them; paused is a command; throttled is the throttle at work.
var troubles = []trouble{
	{
		condition: StoreAnswers, after: settle, title: "a store does not answer",
		todo: "Look at the store and the way to it; writes that one of two stores missed are repaired when it is back, and `sluice status` counts them.",
	},
	{
		// A write whose end is unknown is in quarantine for a minute, and a repair comes
		// back after half a minute. That is no trouble.
		condition: "caught-up", after: 5 * time.Minute, title: "writes are not on both stores",
		todo: "Run `sluice status` to see how many wait, and look at the store that misses them: they are repaired as soon as it takes them.",
	},
	{
		// A CA takes its time when a name is new.
		condition: "certificates", after: 2 * time.Minute, title: "a certificate is missing or can not be renewed",
		todo: "Run `sluice certs` for the reasons and `sluice doctor` for what is in the way.",
	},
	{
		condition: "configuration", after: settle, title: "the configuration could not be reloaded",
		todo: "Mend the file, look with `sluice config validate`, and run `sluice config reload`; until then the configuration before stays in force.",
	},
	{
		condition: "notifications", after: time.Minute, title: "notifications do not reach everyone",
		todo: "Run `sluice notify test` and mend notify.urls, or the service.",
	},
}

// troubleOf finds what a condition's type means; nil: it is no trouble.
func troubleOf(condition string) *trouble {
	for i := range troubles {
		if troubles[i].condition == condition {
			return &troubles[i]
		}
	}
	return nil
}
