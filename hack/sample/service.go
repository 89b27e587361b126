package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
)

type service struct {
	settings settings
	metrics  *metrics
	asked    atomic.Uint64
	draining atomic.Bool
}

// serve runs the sample service until SIGTERM or SIGINT. Then /ready fails at once, requests are
// answered for the drain time (endpoints and gateways need a moment to hear of it), those in flight
// are finished, and the process exits with 0.
func serve() error {
	settings, err := readSettings()
	if err != nil {
		return err
	}
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	if settings.crashes {
		time.AfterFunc(settings.crashAfter, func() {
			log.Printf("crashing after %s, as CRASH_AFTER says", settings.crashAfter)
			os.Exit(1)
		})
	}
	select {
	case <-time.After(settings.startDelay):
	case <-stop.Done():
		return nil
	}

	s := &service{settings: settings, metrics: newMetrics(settings.version)}
	listener, err := net.Listen("tcp", settings.address)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: s.routes(), ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	log.Printf("version %s serves on %s", settings.version, settings.address)

	select {
	case err := <-failed:
		return err
	case <-stop.Done():
	}
	s.draining.Store(true)
	log.Printf("draining for %s", settings.drain)
	time.Sleep(settings.drain)
	if err := server.Shutdown(context.Background()); err != nil {
		return err
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	log.Print("drained")
	return nil
}

func (s *service) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/health", s.health)
	mux.HandleFunc("/ready", s.ready)
	mux.HandleFunc("/version", s.version)
	mux.HandleFunc("/metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		s.metrics.write(w)
	})
	mux.HandleFunc("/", s.answer)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Version", s.settings.version)
		if s.draining.Load() {
			// Whoever holds a connection opens the next one elsewhere.
			w.Header().Set("Connection", "close")
		}
		mux.ServeHTTP(w, r)
	})
}

func (s *service) answer(w http.ResponseWriter, _ *http.Request) {
	began := time.Now()
	n := s.asked.Add(1)
	delay := s.settings.latency
	if s.settings.jitter > 0 {
		delay += rand.N(s.settings.jitter)
	}
	time.Sleep(delay)
	code := http.StatusOK
	// Spread evenly instead of thrown by dice: of any 100 requests at 0.25 exactly 25 fail.
	if uint64(float64(n)*s.settings.errorRate) > uint64(float64(n-1)*s.settings.errorRate) {
		code = http.StatusInternalServerError
	}
	s.metrics.observe(code, time.Since(began))
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	fmt.Fprintf(w, "version %s: %s\n", s.settings.version, http.StatusText(code))
}

func (s *service) health(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

func (s *service) version(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]string{"version": s.settings.version})
}

type readiness struct {
	Status       string            `json:"status"`
	Dependencies map[string]string `json:"dependencies"`
}

func (s *service) ready(w http.ResponseWriter, _ *http.Request) {
	answer := readiness{Status: "ok", Dependencies: map[string]string{"database": "ok", "cache": "ok"}}
	for name := range s.settings.dependencyDown {
		answer.Dependencies[name] = "down"
		answer.Status = "unavailable"
	}
	if s.draining.Load() {
		answer.Status = "draining"
	}
	code := http.StatusOK
	if answer.Status != "ok" {
		code = http.StatusServiceUnavailable
	}
	writeJSON(w, code, answer)
}

func writeJSON(w http.ResponseWriter, code int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	if err := json.NewEncoder(w).Encode(value); err != nil {
		log.Printf("writing an answer: %v", err)
	}
}
