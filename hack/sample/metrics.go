package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Upper bounds in seconds, the ones every Prometheus client library starts with.
var buckets = []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}

// metrics counts the requests to / (not the probes, whose sheer number would hide what users see)
// and writes them in the Prometheus text format.
type metrics struct {
	mutex    sync.Mutex
	version  string
	requests map[int]uint64 // by status code
	counts   []uint64       // by bucket, not cumulative; the last one is +Inf
	seconds  float64        // the sum of all durations
}

func newMetrics(version string) *metrics {
	// A counter that is there from the start has a rate from its first request on.
	return &metrics{version: version, requests: map[int]uint64{200: 0, 500: 0}, counts: make([]uint64, len(buckets)+1)}
}

func (m *metrics) observe(code int, duration time.Duration) {
	seconds := duration.Seconds()
	bucket, _ := slices.BinarySearch(buckets, seconds)
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.requests[code]++
	m.counts[bucket]++
	m.seconds += seconds
}

func (m *metrics) write(out io.Writer) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	fmt.Fprintln(out, "# HELP http_requests_total Requests to /, by version and status code.")
	fmt.Fprintln(out, "# TYPE http_requests_total counter")
	for _, code := range slices.Sorted(maps.Keys(m.requests)) {
		fmt.Fprintf(out, "http_requests_total{version=%q,code=\"%d\"} %d\n", m.version, code, m.requests[code])
	}
	fmt.Fprintln(out, "# HELP http_request_duration_seconds Time to answer a request to /, by version.")
	fmt.Fprintln(out, "# TYPE http_request_duration_seconds histogram")
	total := uint64(0)
	for bucket, count := range m.counts {
		total += count
		bound := "+Inf"
		if bucket < len(buckets) {
			bound = strconv.FormatFloat(buckets[bucket], 'g', -1, 64)
		}
		fmt.Fprintf(out, "http_request_duration_seconds_bucket{version=%q,le=%q} %d\n", m.version, bound, total)
	}
	fmt.Fprintf(out, "http_request_duration_seconds_sum{version=%q} %g\n", m.version, m.seconds)
	fmt.Fprintf(out, "http_request_duration_seconds_count{version=%q} %d\n", m.version, total)
}
