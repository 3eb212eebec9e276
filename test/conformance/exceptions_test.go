package conformance

var (
	exceptionsOnMinIO   = map[string]string{}
	exceptionsOnVersity = map[string]string{}
	exceptionsOfClient  = map[string]string{}
)
