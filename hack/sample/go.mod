module tidegate.dev/hack/sample

go 1.26.0
