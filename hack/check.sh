#!/usr/bin/env bash
# All that can be known about the tree without running it. Every check runs, also after one has failed; a failed one
# shows what it said. Called by `make check`.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly bin=.venv/bin
failed=()

check() {
    local name=$1 started=$SECONDS said
    shift
    if said=$("$@" 2>&1); then
        printf 'ok      %-16s %3d s\n' "$name" $((SECONDS - started))
    else
        printf 'FAILED  %-16s %3d s\n%s\n' "$name" $((SECONDS - started)) "$said"
        failed+=("$name")
    fi
}

check "ruff lint" "$bin/ruff" check --quiet .
check "ruff format" "$bin/ruff" format --check --quiet --diff .
check "mypy" "$bin/mypy" --no-error-summary
check "import-linter" "$bin/lint-imports" --no-logo
check "deptry" "$bin/deptry" operator
check "generated crds" "$bin/python" hack/generate_crds.py --check
check "generated chart" "$bin/python" hack/generate_chart.py --check
check "image's packages" "$bin/python" hack/image/lock.py --check

if [ ${#failed[@]} -gt 0 ]; then
    printf 'make check: failed: %s\n' "$(IFS=,; echo "${failed[*]}")" >&2
    exit 1
fi
