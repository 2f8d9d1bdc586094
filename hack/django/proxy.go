// SPDX-License-Identifier: Apache-2.0

package django

import (
	"errors"
	"io"
	"net"
	"sync"
)

// Proxy is the network between the bot and the site.
type Proxy struct {
	listener net.Listener
	target   string
	links    sync.WaitGroup

	mu     sync.Mutex
	state  networkState
	open   map[*link]struct{}
	closed bool
}

type networkState int

const (
	networkWell networkState = iota
	// networkCut refuses everybody.
	networkCut
	// networkFrozen swallows everything and tells nobody.
	networkFrozen
)

// link is a connection through the proxy.
type link struct {
	proxy        *Proxy
	client, site net.Conn
	dead         bool // swallows what comes; guarded by the proxy's mu
}

// StartProxy listens on a free port and passes connections on to the target, a host and port.
func StartProxy(target string) (*Proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{listener: listener, target: target, open: map[*link]struct{}{}}
	p.links.Go(p.serve)
	return p, nil
}

// Address is the host and port that it listens at.
func (p *Proxy) Address() string { return p.listener.Addr().String() }

// Cut resets all connections, and every new one until Heal.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state = networkCut
	p.resetAll()
}

// Freeze loses what is on its way, now and until Heal, without a word to either end. What was connected never hears of the other end again.
func (p *Proxy) Freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state = networkFrozen
	for l := range p.open {
		l.dead = true
	}
}

// Heal lets new connections through.
func (p *Proxy) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state = networkWell
}

// Close ends the proxy with all its connections.
func (p *Proxy) Close() error {
	err := p.listener.Close()
	p.mu.Lock()
	p.closed = true
	p.resetAll()
	p.mu.Unlock()
	p.links.Wait()
	return err
}

func (p *Proxy) resetAll() {
	for l := range p.open {
		l.reset()
	}
}

func (p *Proxy) serve() {
	for {
		conn, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			p.links.Go(func() { p.connect(conn) })
		}
	}
}

// connect passes a connection on, unless the network has it otherwise.
func (p *Proxy) connect(client net.Conn) {
	l := &link{proxy: p, client: client}
	if !p.admit(l) {
		l.reset()
		return
	}
	defer p.forget(l)
	var ways sync.WaitGroup
	if l.site != nil {
		ways.Go(func() { l.pass(l.site, l.client) })
	}
	ways.Go(func() { l.pass(l.client, l.site) })
	ways.Wait()
}

// admit decides what becomes of a new connection. A frozen network has nobody at the other end.
func (p *Proxy) admit(l *link) bool {
	p.mu.Lock()
	well := p.state == networkWell
	p.mu.Unlock()
	if well {
		site, err := net.Dial("tcp", p.target)
		if err != nil {
			return false
		}
		l.site = site
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.state == networkCut {
		return false
	}
	l.dead = p.state == networkFrozen || l.site == nil
	p.open[l] = struct{}{}
	return true
}

func (p *Proxy) forget(l *link) {
	p.mu.Lock()
	delete(p.open, l)
	p.mu.Unlock()
	l.reset()
}

func (l *link) isDead() bool {
	l.proxy.mu.Lock()
	defer l.proxy.mu.Unlock()
	return l.dead
}

// pass copies until an end closes; the other end hears of it unless the link is dead.
func (l *link) pass(from, to net.Conn) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 && !l.isDead() {
			if _, err := to.Write(buffer[:n]); err != nil {
				l.reset()
				return
			}
		}
		if err == nil {
			continue
		}
		if l.isDead() {
			return
		}
		if half, ok := to.(*net.TCPConn); ok && errors.Is(err, io.EOF) {
			_ = half.CloseWrite() // it may be closed already
		} else {
			l.reset()
		}
		return
	}
}

// reset closes both ends with a reset, as nobody does who says good-bye.
func (l *link) reset() {
	for _, conn := range []net.Conn{l.client, l.site} {
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // it may be closed already
			_ = tcp.Close()
		}
	}
}
