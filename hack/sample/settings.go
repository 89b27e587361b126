package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// settings is how a version behaves. Everything comes from the environment, so that an image is the
// same binary with other variables, and a pod template can make any image misbehave.
type settings struct {
	address        string          // ADDRESS, default :8080
	version        string          // VERSION, default "unknown"
	errorRate      float64         // ERROR_RATE, 0 to 1: that share of the requests to / answers 500
	latency        time.Duration   // LATENCY, for example 600ms: added to every request to /
	jitter         time.Duration   // LATENCY_JITTER: up to this much more, evenly distributed
	dependencyDown map[string]bool // DEPENDENCY_DOWN, comma-separated names of dependencies that are down
	startDelay     time.Duration   // START_DELAY: listens only after this time
	crashAfter     time.Duration   // CRASH_AFTER: exits with 1 after this time; unset: never
	crashes        bool
	drain          time.Duration // DRAIN_SECONDS, default 3: serves on after SIGTERM for this long
}

func readSettings() (settings, error) {
	read := environment{}
	result := settings{
		address:        read.text("ADDRESS", ":8080"),
		version:        read.text("VERSION", "unknown"),
		errorRate:      read.number("ERROR_RATE", 0),
		latency:        read.duration("LATENCY"),
		jitter:         read.duration("LATENCY_JITTER"),
		dependencyDown: map[string]bool{},
		startDelay:     read.duration("START_DELAY"),
		crashAfter:     read.duration("CRASH_AFTER"),
		crashes:        os.Getenv("CRASH_AFTER") != "",
		drain:          time.Duration(read.number("DRAIN_SECONDS", 3) * float64(time.Second)),
	}
	for name := range strings.SplitSeq(read.text("DEPENDENCY_DOWN", ""), ",") {
		if name = strings.TrimSpace(name); name != "" {
			result.dependencyDown[name] = true
		}
	}
	if read.err == nil && (result.errorRate < 0 || result.errorRate > 1) {
		read.err = fmt.Errorf("ERROR_RATE is %v, expected a share between 0 and 1", result.errorRate)
	}
	return result, read.err
}

// environment reads variables and keeps the first mistake it met.
type environment struct{ err error }

func (e *environment) text(name, fallback string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return fallback
}

func (e *environment) number(name string, fallback float64) float64 {
	value := os.Getenv(name)
	if value == "" {
		return fallback
	}
	number, err := strconv.ParseFloat(value, 64)
	if (err != nil || number < 0) && e.err == nil {
		e.err = fmt.Errorf("%s is %q, expected a number that is not negative", name, value)
	}
	return number
}

func (e *environment) duration(name string) time.Duration {
	value := os.Getenv(name)
	if value == "" {
		return 0
	}
	duration, err := time.ParseDuration(value)
	if (err != nil || duration < 0) && e.err == nil {
		e.err = fmt.Errorf("%s is %q, expected a duration like 250ms or 3s", name, value)
	}
	return duration
}
