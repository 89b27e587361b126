package main

import (
	"cmp"
	"encoding/json"
	"maps"
	"os"
	"slices"
	"time"
)

// Errors beyond this many are counted, not listed.
const listedErrors = 1000

// report is what `load` leaves behind. Times are Unix nanoseconds, latencies seconds; a second's requests
// are counted where they started.
type report struct {
	URL      string    `json:"url"`
	Host     string    `json:"host,omitempty"`
	Rate     float64   `json:"rps"`
	Start    int64     `json:"start"`
	End      int64     `json:"end"`
	Requests int       `json:"requests"`
	Skipped  int       `json:"skipped"`
	Answers  []answers `json:"answers"`
	Failed   int       `json:"failed"` // got no answer at all
	Errors   []outcome `json:"errors"`
	Latency  latency   `json:"latency"`
	Seconds  []second  `json:"seconds"`

	total     map[answers]int
	perSecond map[int64]map[answers]int
	failures  map[int64]int
	latencies []float64
}

type answers struct {
	Version string `json:"version"`
	Code    int    `json:"code"`
	Count   int    `json:"count"` // 0 in the keys of the maps above
}

type second struct {
	Second  int64     `json:"second"` // Unix seconds
	Answers []answers `json:"answers"`
	Failed  int       `json:"failed"`
}

type latency struct {
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

func newReport(url, host string, rate float64) *report {
	return &report{
		URL: url, Host: host, Rate: rate, Start: time.Now().UnixNano(), Errors: []outcome{},
		total: map[answers]int{}, perSecond: map[int64]map[answers]int{}, failures: map[int64]int{},
	}
}

func (r *report) add(one outcome) {
	r.Requests++
	at := one.Start / int64(time.Second)
	if r.perSecond[at] == nil {
		r.perSecond[at] = map[answers]int{}
	}
	if one.Error != "" {
		r.Failed++
		r.failures[at]++
		if len(r.Errors) < listedErrors {
			r.Errors = append(r.Errors, one)
		}
		return
	}
	key := answers{Version: one.Version, Code: one.Code}
	r.total[key]++
	r.perSecond[at][key]++
	r.latencies = append(r.latencies, time.Duration(one.End-one.Start).Seconds())
}

func (r *report) save(path string) error {
	r.End = time.Now().UnixNano()
	r.Answers = list(r.total)
	r.Seconds = []second{}
	for _, at := range slices.Sorted(maps.Keys(r.perSecond)) {
		r.Seconds = append(r.Seconds, second{Second: at, Answers: list(r.perSecond[at]), Failed: r.failures[at]})
	}
	if len(r.latencies) > 0 {
		slices.Sort(r.latencies)
		at := func(share float64) float64 { return r.latencies[int(share*float64(len(r.latencies)-1))] }
		r.Latency = latency{P50: at(0.5), P95: at(0.95), P99: at(0.99), Max: at(1)}
	}
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	text = append(text, '\n')
	if path == "-" {
		_, err = os.Stdout.Write(text)
		return err
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		// Something like /dev/null: write to it, and by no means replace it.
		return os.WriteFile(path, text, 0o644)
	}
	// Whole or not at all: a test may be waiting for the file to appear.
	if err := os.WriteFile(path+".part", text, 0o644); err != nil {
		return err
	}
	return os.Rename(path+".part", path)
}

func list(counts map[answers]int) []answers {
	result := make([]answers, 0, len(counts))
	for key, count := range counts {
		key.Count = count
		result = append(result, key)
	}
	slices.SortFunc(result, func(a, b answers) int {
		return cmp.Or(cmp.Compare(a.Version, b.Version), cmp.Compare(a.Code, b.Code))
	})
	return result
}
