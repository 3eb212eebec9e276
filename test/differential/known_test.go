package differential

// known are the gateway's defects that this test found, until they are mended:
// a precise matcher and what is wrong.
var known = []struct {
	what  string
	match func(st *step, one difference, d, g *answer) bool
}{}

// knownDefect is the defect that explains the difference, or "".
func knownDefect(st *step, one difference, d, g *answer) string {
	for _, k := range known {
		if k.match(st, one, d, g) {
			return k.what
		}
	}
	return ""
}
