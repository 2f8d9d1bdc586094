// SPDX-License-Identifier: Apache-2.0

package richtext

import (
	"slices"

	"github.com/go-telegram/bot/models"
)

// untangle sorts entities and makes them follow Telegram's rules of nesting: entities that break a rule are dropped,
// styles are merged where they touch and cut where they cross something else.
func untangle(entities []Entity) []Entity {
	sortEntities(entities)
	if wellNested(entities) {
		return entities
	}
	var solids, quotes, styles []Entity
	for _, e := range entities {
		switch {
		case isStyle(e.Type):
			styles = append(styles, e)
		case isQuote(e.Type):
			quotes = append(quotes, e)
		default:
			solids = append(solids, e)
		}
	}
	quotes = dropMeeting(quotes)
	fixed := slices.DeleteFunc(dropMeeting(solids), func(s Entity) bool {
		return slices.ContainsFunc(quotes, func(q Entity) bool {
			meets := s.Offset < end(q) && q.Offset < end(s)
			return meets && (s.Offset < q.Offset || end(s) > end(q))
		})
	})
	fixed = append(fixed, quotes...)
	sortEntities(fixed)
	fixed = append(fixed, cutStyles(styles, fixed)...)
	sortEntities(fixed)
	return fixed
}

// wellNested tells whether sorted entities need no repair.
func wellNested(entities []Entity) bool {
	var open []Entity
	lastEnd := map[models.MessageEntityType]int{}
	for _, e := range entities {
		for len(open) > 0 && end(open[len(open)-1]) <= e.Offset {
			open = open[:len(open)-1]
		}
		for _, o := range open {
			crosses := end(e) > end(o)
			solidInSolid := !isStyle(e.Type) && !isQuote(e.Type) && !isStyle(o.Type) && !isQuote(o.Type)
			codeInside := isCode(e.Type) && !isQuote(o.Type)
			quoteInside := isQuote(e.Type) && !isStyle(o.Type)
			if crosses || o.Type == e.Type || isCode(o.Type) || solidInSolid || codeInside || quoteInside {
				return false
			}
		}
		if last, seen := lastEnd[e.Type]; seen && isStyle(e.Type) && e.Offset <= last {
			return false
		}
		lastEnd[e.Type] = end(e)
		open = append(open, e)
	}
	return true
}

// dropMeeting keeps each entity that begins after the end of those kept before it.
func dropMeeting(sorted []Entity) []Entity {
	kept, last := sorted[:0], 0
	for _, e := range sorted {
		if e.Offset >= last {
			kept = append(kept, e)
			last = end(e)
		}
	}
	return kept
}

// cutStyles merges styles of one type that touch, cuts them at the edges of fixed entities and where other styles
// begin, and removes them from code.
func cutStyles(styles, fixed []Entity) []Entity {
	var cuts []int
	for _, f := range fixed {
		cuts = append(cuts, f.Offset, end(f))
	}
	styles = mergeTouching(styles)
	for _, s := range styles {
		cuts = append(cuts, s.Offset)
	}
	slices.Sort(cuts)
	cuts = slices.Compact(cuts)
	inCode := func(offset int) bool {
		return slices.ContainsFunc(fixed, func(f Entity) bool {
			return isCode(f.Type) && f.Offset <= offset && offset < end(f)
		})
	}
	var out []Entity
	for _, s := range styles {
		stop := end(s)
		for s.Offset < stop {
			next := stop
			if i, _ := slices.BinarySearch(cuts, s.Offset+1); i < len(cuts) {
				next = min(stop, cuts[i])
			}
			if s.Length = next - s.Offset; !inCode(s.Offset) {
				out = append(out, s)
			}
			s.Offset = next
		}
	}
	return out
}

// mergeTouching joins sorted styles of the same type that overlap or touch.
func mergeTouching(styles []Entity) []Entity {
	merged := make([]Entity, 0, len(styles))
	at := map[models.MessageEntityType]int{}
	for _, s := range styles {
		if i, seen := at[s.Type]; seen && s.Offset <= end(merged[i]) {
			merged[i].Length = max(end(merged[i]), end(s)) - merged[i].Offset
			continue
		}
		at[s.Type] = len(merged)
		merged = append(merged, s)
	}
	return merged
}
