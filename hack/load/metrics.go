// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// cpuSeconds is the metric of the CPU time that a process has used.
const cpuSeconds = "process_cpu_seconds_total"

// scrape is what a program exports: values by metric name, summed over labels, and what the scrape cost.
type scrape struct {
	values map[string]float64
	took   time.Duration
	size   int
}

func scrapeMetrics(ctx context.Context, client *http.Client, url string) (scrape, error) {
	start := time.Now()
	text, err := fetch(ctx, client, url)
	if err != nil {
		return scrape{}, fmt.Errorf("read metrics: %w", err)
	}
	s := scrape{values: map[string]float64{}, took: time.Since(start), size: len(text)}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if strings.HasPrefix(line, "#") || len(fields) < 2 {
			continue
		}
		name, _, _ := strings.Cut(fields[0], "{")
		value, err := strconv.ParseFloat(fields[len(fields)-1], 64)
		if err != nil {
			return scrape{}, fmt.Errorf("read metric %s: %w", name, err)
		}
		s.values[name] += value
	}
	return s, nil
}
