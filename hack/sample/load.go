package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// outcome is one request, and one line of the log. Times are Unix nanoseconds; an error leaves the
// version empty and the code 0.
type outcome struct {
	Start   int64  `json:"start"`
	End     int64  `json:"end"`
	Version string `json:"version,omitempty"`
	Code    int    `json:"code,omitempty"`
	Kind    string `json:"kind,omitempty"` // refused, reset, timeout or other
	Error   string `json:"error,omitempty"`
}

// load sends requests at a fixed rate whether or not the earlier ones were answered (open loop: a slow
// server does not slow the clients down, as in life), until the duration is over or SIGTERM or SIGINT.
func load(arguments []string) error {
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	url := flags.String("url", "http://127.0.0.1:8080/", "what to ask for")
	host := flags.String("host", "", "Host header, if it is not that of the URL")
	rate := flags.Float64("rps", 100, "requests a second")
	duration := flags.Duration("duration", 0, "how long; 0 is until a signal")
	timeout := flags.Duration("timeout", 5*time.Second, "time-out of one request")
	keepAlive := flags.Bool("keep-alive", false, "reuse connections (the client may then resend a request unseen)")
	inFlight := flags.Int("max-in-flight", 5000, "requests under way at once; those beyond are counted as skipped")
	reportPath := flags.String("report", "-", "where the JSON report goes; - is the standard output")
	logPath := flags.String("log", "", "file for one JSON line a request, as they end")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("load: unexpected %q; everything is given by flags", flags.Arg(0))
	}
	if *rate <= 0 {
		return fmt.Errorf("load: -rps is %v, expected more than 0", *rate)
	}
	if _, err := http.NewRequest(http.MethodGet, *url, nil); err != nil {
		return err
	}
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	if *duration > 0 {
		var end context.CancelFunc
		stop, end = context.WithTimeout(stop, *duration)
		defer end()
	}

	var log io.Writer = io.Discard
	if *logPath != "" {
		file, err := os.Create(*logPath)
		if err != nil {
			return err
		}
		defer file.Close()
		log = file
	}
	client := &http.Client{Timeout: *timeout, Transport: &http.Transport{
		DisableKeepAlives: !*keepAlive, MaxIdleConnsPerHost: *inFlight, DisableCompression: true,
	}}
	report := newReport(*url, *host, *rate)
	outcomes := make(chan outcome, *inFlight)
	recorded := make(chan error, 1)
	go func() { recorded <- record(outcomes, report, log) }()

	report.Skipped = send(stop, *rate, *inFlight, func() { outcomes <- get(client, *url, *host) })
	close(outcomes)
	if err := <-recorded; err != nil {
		return err
	}
	return report.save(*reportPath)
}

// send calls one `rate` times a second, each in its own goroutine, until stop; it returns when all have
// returned, with how many were left out because too many were under way.
func send(stop context.Context, rate float64, inFlight int, one func()) (skipped int) {
	slots := make(chan struct{}, inFlight)
	var underWay sync.WaitGroup
	defer underWay.Wait()
	began := time.Now()
	for n := 0; ; n++ {
		// By the schedule from the start, so that a late wake-up does not lower the rate.
		due := began.Add(time.Duration(float64(n) / rate * float64(time.Second)))
		select {
		case <-stop.Done():
			return skipped
		case <-time.After(time.Until(due)):
		}
		select {
		case slots <- struct{}{}:
			underWay.Go(func() {
				defer func() { <-slots }()
				one()
			})
		default:
			skipped++
		}
	}
}

func get(client *http.Client, url, host string) outcome {
	result := outcome{Start: time.Now().UnixNano()}
	request, err := http.NewRequest(http.MethodGet, url, nil)
	if err == nil {
		request.Host = host
		var response *http.Response
		if response, err = client.Do(request); err == nil {
			_, err = io.Copy(io.Discard, response.Body)
			response.Body.Close()
			result.Version, result.Code = response.Header.Get("X-Version"), response.StatusCode
		}
	}
	result.End = time.Now().UnixNano()
	if err != nil {
		result.Version, result.Code, result.Kind, result.Error = "", 0, kind(err), err.Error()
	}
	return result
}

func kind(err error) string {
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "reset"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	}
	return "other"
}

func record(outcomes <-chan outcome, report *report, log io.Writer) error {
	buffered := bufio.NewWriter(log)
	lines := json.NewEncoder(buffered)
	// A test reads the log while we write it: no line may wait for the buffer to fill.
	flush := time.NewTicker(100 * time.Millisecond)
	defer flush.Stop()
	var failure error
	for {
		select {
		case <-flush.C:
			failure = errors.Join(failure, buffered.Flush())
		case one, more := <-outcomes:
			if !more {
				return errors.Join(failure, buffered.Flush())
			}
			report.add(one)
			if err := lines.Encode(one); err != nil && failure == nil {
				failure = err
			}
		}
	}
}
