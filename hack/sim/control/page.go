// SPDX-License-Identifier: Apache-2.0

package control

import (
	"io/fs"
	"net/http"
)

// RoutePage serves page/index.html of files at / and its parts under /page/.
func RoutePage(mux *http.ServeMux, files fs.FS) {
	parts := http.FileServerFS(files)
	mux.HandleFunc("GET /page/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-cache")
		parts.ServeHTTP(w, r)
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		// All that the page needs comes from here; nothing that it shows may run or load anything.
		w.Header().Set("Content-Security-Policy", "default-src 'self'; base-uri 'none'; form-action 'none'")
		w.Header().Set("Cache-Control", "no-cache")
		http.ServeFileFS(w, r, files, "page/index.html")
	})
}
