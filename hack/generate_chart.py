"""Write the parts of charts/tidegate that stand elsewhere by hand, or check that they are as they would be written.

    python hack/generate_chart.py            write
    python hack/generate_chart.py --check    exit 1 and say which file is out of date

Rights, roles and admission policies are written in manifests/base, definitions are generated into crds/. The chart has
them from there as text, with their comments; what it adds is where they go: `if` this is to be installed, a Role in
each namespace in the place of a ClusterRole.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
BASE: Final = ROOT / "manifests" / "base"
CRDS: Final = ROOT / "crds"
CHART: Final = ROOT / "charts" / "tidegate"
RULES: Final = ("tidegate-operator", "tidegate-admission", "tidegate-lease")
"""The roles of the operator, by name; each has one file of rules in the chart."""

_KEEP: Final = (
    "  {{- if .Values.crds.keep }}\n"
    "  annotations:\n"
    "    helm.sh/resource-policy: keep\n"
    "  {{- end }}\n"
)  # fmt: skip


def generated() -> Mapping[Path, str]:
    """Every generated file of the chart, with its text. Raises ValueError where a source is not as expected."""
    rights = (BASE / "operator-rbac.yaml").read_text(encoding="utf-8")
    files = {CHART / "files" / f"{name}.yaml": rules(rights, name) for name in RULES}
    for source, value in (("roles.yaml", "roles"), ("admission.yaml", "admissionPolicies")):
        text = (BASE / source).read_text(encoding="utf-8")
        files[CHART / "templates" / source] = _optional(f"manifests/base/{source}", value, escaped(text))
    definitions = (kept(path.read_text(encoding="utf-8")) for path in sorted(CRDS.glob("tidegate.dev_*.yaml")))
    files[CHART / "templates" / "crds.yaml"] = _optional("crds/", "crds", "---\n".join(definitions))
    return files


def rules(rights: str, name: str) -> str:
    """The rules of that role, as text, with their comments."""
    for document in re.split(r"^---\n", rights, flags=re.MULTILINE):
        kind = re.search(r"^kind: (?:Cluster)?Role$", document, re.MULTILINE)
        found = re.search(r"^rules:\n(.*)\Z", document, re.MULTILINE | re.DOTALL)
        if kind and found and re.search(rf"^  name: {re.escape(name)}$", document, re.MULTILINE):
            return _header("manifests/base/operator-rbac.yaml", comment="#") + found[1]
    raise ValueError(f"manifests/base/operator-rbac.yaml has no role {name} with rules")


def kept(definition: str) -> str:
    """One definition, which stays when the chart is uninstalled, if that is wished."""
    text = re.sub(r"\A(#.*\n)+", "", escaped(definition))
    before, name, after = text.partition("metadata:\n")
    if not name or "annotations:" in after.partition("spec:\n")[0]:
        raise ValueError("a definition has no metadata, or annotations of its own")
    return f"{before}{name}{_KEEP}{after}"


def escaped(text: str) -> str:
    """With what a template would take for its own."""
    return text.replace("{{", '{{ "{{" }}')


def _optional(source: str, value: str, text: str) -> str:
    return f"{_header(source)}{{{{- if .Values.{value}.install }}}}\n{text.rstrip()}\n{{{{- end }}}}\n"


def _header(source: str, *, comment: str = "") -> str:
    words = f"Generated from {source} by hack/generate_chart.py (make chart): edit that, not this file."
    return f"{comment} {words}\n" if comment else f"{{{{- /* {words} */ -}}}}\n"


def main() -> int:
    stale = [
        path
        for path, text in generated().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]  # fmt: skip
    if "--check" in sys.argv:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is out of date: run make chart", file=sys.stderr)
        return 1 if stale else 0
    for path in stale:
        path.write_text(generated()[path], encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
