package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"time"
)

// probe asks every URL once and fails unless all answer 200 (and, if asked, carry the expected X-Version).
func probe(arguments []string) error {
	flags := flag.NewFlagSet("probe", flag.ContinueOnError)
	timeout := flags.Duration("timeout", 5*time.Second, "time-out of one request")
	host := flags.String("host", "", "Host header, if it is not that of the URL")
	version := flags.String("expect-version", "", "the X-Version every answer has to carry")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if flags.NArg() == 0 {
		return errors.New("probe: no URL given; usage: sample probe [-timeout 5s] [-host NAME] [-expect-version V] URL…")
	}
	client := &http.Client{Timeout: *timeout}
	var failures []error
	for _, url := range flags.Args() {
		if err := ask(client, url, *host, *version); err != nil {
			failures = append(failures, err)
		}
	}
	return errors.Join(failures...)
}

func ask(client *http.Client, url, host, version string) error {
	request, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	request.Host = host
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 512))
	if err != nil {
		return fmt.Errorf("%s: reading the answer: %w", url, err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s, expected 200: %s", url, response.Status, body)
	}
	if got := response.Header.Get("X-Version"); version != "" && got != version {
		return fmt.Errorf("%s is version %q, expected %q", url, got, version)
	}
	fmt.Printf("%s ok\n", url)
	return nil
}
