package differential

// defect is what is wrong with the gateway, and how to know it.
type defect struct {
	what  string
	match func(st *step, one difference, d, g *answer) bool
}

// known are the gateway's defects that this test found, until they are mended.
// A difference that none of them explains fails the test.
var known = []defect{}

// knownDefect is the defect that explains the difference, or "".
func knownDefect(st *step, one difference, d, g *answer) string {
	for _, k := range known {
		if k.match(st, one, d, g) {
			return k.what
		}
	}
	return ""
}
