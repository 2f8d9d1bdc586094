// SPDX-License-Identifier: Apache-2.0

package person

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/feedbackbridge/feedbackbridge/hack/django/process"
)

// patience is how long a page may take to show something.
const patience = 2 * time.Minute

// browser is a headless Chromium, steered by its DevTools protocol.
type browser struct {
	t       *testing.T
	address string
}

var listening = regexp.MustCompile(`DevTools listening on ws://([^/]+)/`)

// startBrowser starts one in a profile of its own. The test is skipped where none is installed, but not in CI.
func startBrowser(t *testing.T, language string) *browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil && os.Getenv("CI") == "" {
		t.Skip("chromium is not installed")
	}
	must(t, err)
	profile, err := os.MkdirTemp("", "browser")
	must(t, err)
	log := filepath.Join(profile, "log")
	// It runs as root in containers, and opens only pages of this test.
	p, err := process.Launch(exec.Command(path, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", // #nosec G204
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--force-prefers-reduced-motion", "--hide-scrollbars",
		"--accept-lang="+language, "--lang="+language, "--remote-debugging-port=0", "--user-data-dir="+profile, "about:blank"), log)
	must(t, err)
	t.Cleanup(func() {
		must(t, p.End(syscall.SIGTERM))
		if !poll(func() bool { return os.RemoveAll(profile) == nil }) { // its helpers may still write
			t.Errorf("the browser's profile %s does not go away", profile)
		}
	})
	b := &browser{t: t}
	if !poll(func() bool {
		text, _ := os.ReadFile(log) // it says so in the end
		if found := listening.FindSubmatch(text); found != nil {
			b.address = string(found[1])
		}
		return b.address != ""
	}) {
		t.Fatalf("chromium does not listen\n%s", process.Tail(log))
	}
	return b
}

// page is a tab.
type page struct {
	t    *testing.T
	conn *websocket.Conn
	last int
}

// open opens an address in a tab of its own, width pixels wide.
func (b *browser) open(address string, width, height int) *page {
	b.t.Helper()
	request, err := http.NewRequestWithContext(b.t.Context(), http.MethodPut, "http://"+b.address+"/json/new?about:blank", nil)
	must(b.t, err)
	response, err := http.DefaultClient.Do(request)
	must(b.t, err)
	defer response.Body.Close()
	var target struct {
		URL string `json:"webSocketDebuggerUrl"`
	}
	must(b.t, json.NewDecoder(response.Body).Decode(&target))
	p := &page{t: b.t}
	p.conn, _, err = websocket.DefaultDialer.DialContext(b.t.Context(), target.URL, nil)
	must(b.t, err)
	b.t.Cleanup(func() { must(b.t, p.conn.Close()) })
	p.resize(width, height)
	p.call("Page.navigate", map[string]any{"url": address}, nil)
	p.wait("document.readyState === 'complete' && location.href !== 'about:blank'")
	return p
}

func (p *page) resize(width, height int) {
	p.t.Helper()
	p.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 2, "mobile": false}, nil)
}

// call calls a method of the protocol. Events are passed over.
func (p *page) call(method string, params, result any) {
	p.t.Helper()
	p.last++
	must(p.t, p.conn.WriteJSON(map[string]any{"id": p.last, "method": method, "params": params}))
	for {
		var answer struct {
			ID     int             `json:"id"`
			Result json.RawMessage `json:"result"`
			Error  json.RawMessage `json:"error"`
		}
		must(p.t, p.conn.ReadJSON(&answer))
		switch {
		case answer.ID != p.last:
			continue
		case answer.Error != nil:
			p.t.Fatalf("%s: %s", method, answer.Error)
		case result != nil:
			must(p.t, json.Unmarshal(answer.Result, result))
		}
		return
	}
}

// eval evaluates an expression; false where it fails, as while a page is being loaded.
func (p *page) eval(expression string, value any) bool {
	p.t.Helper()
	var answer struct {
		Result struct {
			Value json.RawMessage `json:"value"`
		} `json:"result"`
		Exception json.RawMessage `json:"exceptionDetails"`
	}
	p.call("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true, "awaitPromise": true}, &answer)
	return answer.Exception == nil && len(answer.Result.Value) > 0 && json.Unmarshal(answer.Result.Value, value) == nil
}

// wait looks at the page until a condition is true.
func (p *page) wait(condition string) {
	p.t.Helper()
	p.call("Page.bringToFront", map[string]any{}, nil)
	if poll(func() bool {
		var met bool
		return p.eval("!!("+condition+")", &met) && met
	}) {
		return
	}
	var text string
	p.eval("document.body.innerText", &text)
	p.t.Fatalf("in vain: %s\n%s", condition, text)
}

// element is an expression for the last element that a selector and a text fit.
func element(selector, text string) string {
	return fmt.Sprintf("[...document.querySelectorAll(%q)].filter(e => e.textContent.includes(%q)).at(-1)", selector, text)
}

// sees waits until the page has an element with a text.
func (p *page) sees(selector, text string) {
	p.t.Helper()
	p.wait(element(selector, text))
}

// click clicks with the mouse on the last element that a selector and a text fit.
func (p *page) click(selector, text string) {
	p.t.Helper()
	e := element(selector, text)
	p.wait(e)
	var at struct{ X, Y float64 }
	if !p.eval("(e => { e.scrollIntoView({block: 'center'}); const r = e.getBoundingClientRect(); return {X: r.x + r.width / 2, Y: r.y + r.height / 2} })("+e+")", &at) {
		p.t.Fatalf("there is nothing to click on: %s %q", selector, text)
	}
	for _, kind := range []string{"mouseMoved", "mousePressed", "mouseReleased"} {
		mouse := map[string]any{"type": kind, "x": at.X, "y": at.Y, "button": "left", "clickCount": 1}
		if kind == "mouseMoved" {
			mouse["button"], mouse["clickCount"] = "none", 0
		}
		p.call("Input.dispatchMouseEvent", mouse, nil)
	}
}

// write clicks on a field and types.
func (p *page) write(selector, text string) {
	p.t.Helper()
	p.click(selector, "")
	p.call("Input.insertText", map[string]any{"text": text}, nil)
}

// key presses a key by its name.
func (p *page) key(name string, code int) {
	p.t.Helper()
	for _, kind := range []string{"rawKeyDown", "keyUp"} {
		p.call("Input.dispatchKeyEvent", map[string]any{"type": kind, "key": name, "code": name, "windowsVirtualKeyCode": code}, nil)
	}
}

// picture takes one of the page as it is seen.
func (p *page) picture(file string) {
	p.t.Helper()
	var shot struct{ Data string }
	p.call("Page.captureScreenshot", map[string]any{"format": "png"}, &shot)
	raw, err := base64.StdEncoding.DecodeString(shot.Data)
	must(p.t, err)
	must(p.t, os.WriteFile(file, raw, 0o644)) // #nosec G306 -- a picture of the documentation
}

// poll asks until the answer is yes, for as long as patience lasts.
func poll(met func() bool) bool {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		if met() {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
