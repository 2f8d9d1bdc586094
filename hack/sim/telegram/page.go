// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"embed"
	"net/http"
)

//go:embed page/index.html page/style.css page/page.js page/format.js page/icon.svg
var pageFiles embed.FS

// routePage serves the page at / and its parts under /page/.
func (s *Server) routePage() {
	files := http.FileServerFS(pageFiles)
	s.mux.HandleFunc("GET /page/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-cache")
		files.ServeHTTP(w, r)
	})
	s.mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		// All that the page needs comes from here; nothing a chat says may run or load anything.
		w.Header().Set("Content-Security-Policy", "default-src 'self'; base-uri 'none'; form-action 'none'")
		w.Header().Set("Cache-Control", "no-cache")
		http.ServeFileFS(w, r, pageFiles, "page/index.html")
	})
}
