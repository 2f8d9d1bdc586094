// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"math"
	"strconv"
)

// number reads a number and keeps its canonical text: an integer's digits as
// they are, a float as repr() prints it.
func (p *parser) number() error {
	start := p.pos
	negative := p.take('-')
	integer := p.pos
	switch {
	case p.digits() == 0:
		p.pos = start
		if negative && start+1 < len(p.data) && p.data[start+1] == 'I' {
			return p.unexpected("a value")
		}
		return p.fail(start, "a minus sign without digits")
	case p.data[integer] == '0' && p.pos > integer+1:
		return p.fail(start, "a number with leading zeros")
	}
	length := p.pos - integer
	float, err := p.fraction()
	if err != nil {
		return err
	}
	if float {
		return p.float(start)
	}
	if length > maxIntDigits {
		return p.fail(start, "an integer of more digits than CPython reads")
	}
	if negative && p.data[integer] == '0' {
		start = integer // Python has no negative zero among its integers
	}
	p.add(KindInteger, 0, start, p.pos)
	return nil
}

// fraction reads what makes a number a float, if it is there.
func (p *parser) fraction() (float bool, err error) {
	if p.take('.') {
		float = true
		if p.digits() == 0 {
			return false, p.fail(p.pos, "a decimal point without digits after it")
		}
	}
	if p.take('e') || p.take('E') {
		float = true
		if !p.take('+') {
			p.take('-')
		}
		if p.digits() == 0 {
			return false, p.fail(p.pos, "an exponent without digits")
		}
	}
	return float, nil
}

func (p *parser) digits() (n int) {
	start := p.pos
	for p.pos < len(p.data) && '0' <= p.data[p.pos] && p.data[p.pos] <= '9' {
		p.pos++
	}
	return p.pos - start
}

func (p *parser) float(start int) error {
	f, err := strconv.ParseFloat(string(p.data[start:p.pos]), 64)
	if err != nil { // its syntax is right, so it is out of range
		return p.fail(start, "a number too large for a float")
	}
	from := len(p.text)
	p.text = appendFloat(p.text, f)
	p.add(KindFloat, inText, from, len(p.text))
	return nil
}

// appendFloat prints a finite float as Python's repr() does: the fewest digits
// that read back as the same float, an exponent from 1e16 up and below 1e-4,
// and ".0" where nothing else tells a float from an integer.
func appendFloat(dst []byte, f float64) []byte {
	abs := math.Abs(f)
	if abs != 0 && (abs < 1e-4 || abs >= 1e16) {
		return strconv.AppendFloat(dst, f, 'e', -1, 64)
	}
	dst = strconv.AppendFloat(dst, f, 'f', -1, 64)
	if f == math.Trunc(f) {
		dst = append(dst, ".0"...)
	}
	return dst
}
