// One static binary for everything the local cluster needs inside a container:
//
//	sample [serve]        the sample service (see service.go for its environment)
//	sample probe URL…     exit 0 if every URL answers 200, for checks that run as Jobs
//	sample load …         the open-loop load generator (see load.go)
//	sample pause          holds a pod's namespaces
package main

import (
	"fmt"
	"os"
)

func main() {
	command, arguments := "serve", os.Args[1:]
	if len(arguments) > 0 {
		command, arguments = arguments[0], arguments[1:]
	}
	var err error
	switch command {
	case "serve":
		err = serve()
	case "probe":
		err = probe(arguments)
	case "load":
		err = load(arguments)
	case "pause":
		pause()
	default:
		err = fmt.Errorf("unknown command %q: expected serve, probe, load or pause", command)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "sample:", err)
		os.Exit(1)
	}
}
