package admin

import (
	"embed"
	"net/http"
)

// dashboard is served as it is written: HTML, CSS and ES modules, without a build.
//
//go:embed dashboard
var dashboard embed.FS

// pages serves the dashboard's files, which browsers ask for anew each time: another version
// of the gateway has others under the same names.
func pages() http.Handler {
	files := http.FileServerFS(dashboard)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-cache")
		files.ServeHTTP(w, r)
	})
}
