// SPDX-License-Identifier: Apache-2.0

package wire

// salvageID finds the id of a frame that [Parse] refused, so that its sender
// can be told. A frame that names another type than new_feedback has no answer.
func salvageID(data []byte) string {
	id, frameType := salvage(data)
	if frameType != "" && frameType != TypeNewFeedback {
		return ""
	}
	return id
}

// salvage finds the id and the type of a frame. It reads the outermost object
// and skips over everything within: NaN, depth or a missing bracket do not hide
// them. Of several the last counts.
func salvage(data []byte) (id, frameType string) {
	p := parser{data: data}
	p.space()
	if !p.take('{') {
		return "", ""
	}
	for depth := 1; depth > 0 && p.pos < len(data); {
		switch data[p.pos] {
		case '{', '[':
			depth++
			p.pos++
		case '}', ']':
			depth--
			p.pos++
		case '"':
			key, ok := p.salvageString()
			if !ok {
				depth = 0 // nothing after it can be told apart
			}
			if depth != 1 || key != "id" && key != "type" {
				continue
			}
			value, isMember := p.salvageMember()
			switch {
			case !isMember:
			case key == "id":
				id = value
			default:
				frameType = value
			}
		default:
			p.pos++
		}
	}
	return id, frameType
}

// salvageMember reads what follows a key: its text, if it is a string.
func (p *parser) salvageMember() (text string, isMember bool) {
	p.space()
	if !p.take(':') {
		return "", false
	}
	p.space()
	if p.pos < len(p.data) && p.data[p.pos] == '"' {
		text, _ = p.salvageString()
	}
	return text, true
}

// salvageString reads a string; one that is wrong in itself is skipped and
// reads as "", one that does not end is not ok.
func (p *parser) salvageString() (s string, ok bool) {
	start := p.pos
	p.nodes, p.text = p.nodes[:0], p.text[:0]
	if p.string() == nil {
		return string(p.span(&p.nodes[0])), true
	}
	for p.pos = start + 1; p.pos < len(p.data); p.pos++ {
		switch p.data[p.pos] {
		case '\\':
			p.pos++
		case '"':
			p.pos++
			return "", true
		}
	}
	return "", false
}
