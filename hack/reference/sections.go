// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
)

// conditions writes the types of conditions, and each group of reasons.
func (p *page) conditions(groups []group) {
	p.heading(2, "Conditions")
	p.line("They follow the conventions of kstatus: `kubectl wait --for=condition=Ready`, `helm --wait`, Flux and Argo CD wait for Ready, and")
	p.line("give up when Stalled appears. A bridge whose site is down, or whose bot has fallen silent, is *in progress* to them and not")
	p.line("*failed*: it may come back by itself.")
	for i, g := range groups {
		if i == 0 {
			p.line("")
			var rows [][]string
			for _, c := range g.constants {
				rows = append(rows, []string{code(c.value), c.doc})
			}
			p.table([]string{"Type", "Meaning"}, rows)
			continue
		}
		title, note, _ := strings.Cut(strings.TrimPrefix(strings.TrimSuffix(g.doc, "."), "The "), ". ")
		p.heading(3, upperFirst(title))
		if note != "" {
			p.line("%s.", note)
			p.line("")
		}
		var rows [][]string
		for _, c := range g.constants {
			what, todo, _ := strings.Cut(c.doc, ". ")
			rows = append(rows, []string{code(c.value), strings.TrimSuffix(what, ".") + ".", todo})
		}
		p.table([]string{"Reason", "Meaning", "What to do"}, rows)
	}
}

// names writes the annotations and labels, and the keys of the Secret that the site reads.
func (p *page) names(groups []group) {
	var marks, keys [][]string
	var values []string // of constants that a comment may name
	for _, g := range groups {
		for _, c := range g.constants {
			values = append(values, c.name, code(c.value))
		}
	}
	named := strings.NewReplacer(values...)
	for _, g := range groups {
		for _, c := range g.constants {
			doc := c.doc
			if doc == "" {
				doc = withoutName(g.doc, c.name)
			}
			switch doc = named.Replace(doc); {
			case strings.HasPrefix(c.name, "Annotation"), strings.HasPrefix(c.name, "Label"):
				marks = append(marks, []string{code(c.value), doc})
			case strings.HasSuffix(c.name, "Suffix"):
				keys = append(keys, []string{code("<key>" + c.value), doc})
			case strings.HasPrefix(c.name, "Site"):
				keys = append(keys, []string{code(c.value), doc})
			}
		}
	}
	p.heading(2, "Annotations and labels")
	p.table([]string{"Name", "Meaning"}, marks)
	p.heading(2, "The site's Secret")
	p.table([]string{"Key", "Holds"}, keys)
}

func (p *page) events(list []constant) {
	p.heading(2, "Events")
	p.line("A condition that becomes True, ceases to be, or is not True for another reason is an event with the condition's reason. What comes")
	p.line("again within six minutes is counted in the event that is there. Besides these there are:")
	p.line("")
	var rows [][]string
	for _, c := range list {
		rows = append(rows, []string{code(c.value), c.doc})
	}
	p.table([]string{"Reason", "Meaning"}, rows)
}

func (p *page) metrics(list []metric) {
	p.heading(2, "Metrics")
	p.line("The operator exports these for every bridge, beside those of controller-runtime and Go.")
	p.line("")
	var rows [][]string
	for _, m := range list {
		kind := "gauge"
		if strings.HasSuffix(m.name, "_total") {
			kind = "counter"
		}
		rows = append(rows, []string{code(m.name), kind, strings.Join(m.labels, ", "), m.help})
	}
	p.table([]string{"Metric", "Type", "Labels", "Meaning"}, rows)
}
