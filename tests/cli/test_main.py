"""From words to exit codes: what is wrong is one sentence, never a traceback."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tidegate import __version__
from tidegate.cli import main as package_main
from tidegate.cli.exits import CommandFailed, Exit, code_of
from tidegate.cli.main import main
from tidegate.errors import Denied, NotFound, Rejected, Unavailable

KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: here
contexts:
- {name: here, context: {cluster: here, user: me, namespace: shop}}
clusters:
- {name: here, cluster: {server: "http://127.0.0.1:9"}}
users:
- {name: me, user: {token: secret}}
"""


@pytest.fixture
def nobody_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "kubeconfig"
    config.write_text(KUBECONFIG)
    monkeypatch.setenv("KUBECONFIG", str(config))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["pause", "shop"], "the following arguments are required: --reason"),
        (["pause", "shop", "--reason", " "], "say why"),
        (["pause", "shop", "--reason", "x", "--at", "150"], "write a percentage from 0 to 100"),
        (["promote", "shop", "--reason", "x", "--to", "half"], "write a percentage from 0 to 100"),
        (["rollback", "shop", "--reason", "x", "--to-version", "v1/2"], "write a version of up to 63 letters"),
        (["pause", "shop", "--reason", "x", "--timeout", "soon"], "write a duration such as 30s"),
        (["status", "shop", "--output", "xml"], "invalid choice: 'xml'"),
        (["sttaus"], "invalid choice: 'sttaus'"),
        ([], "the following arguments are required: VERB"),
    ],
)
def test_wrong_usage_is_code_2_with_what_to_write(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == Exit.USAGE
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["status", "--watch"], "--watch follows one Release: name it"),
        (["status", "shop", "-A"], "--all-namespaces is for all Releases"),
        (["run", "--log-level", "loud"], "--log-level: 'loud' is not a log level"),
        (["--context", "x", "run"], "run takes no --context"),
    ],
)
def test_words_that_contradict_each_other_are_wrong_usage(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == Exit.USAGE
    assert sentence in capsys.readouterr().err


def test_no_way_to_a_cluster_is_code_3(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    assert main(["status"]) == Exit.NO_ACCESS
    assert capsys.readouterr().err == f"tidegate: KUBECONFIG names {tmp_path}/none, and no such file exists\n"


@pytest.mark.usefixtures("nobody_listens")
def test_a_cluster_that_does_not_answer_is_code_3(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "shop"]) == Exit.NO_ACCESS
    assert "The API server can't be reached to get Release shop/shop" in capsys.readouterr().err


@pytest.mark.usefixtures("nobody_listens")
def test_the_namespace_may_stand_before_the_verb_or_after_it(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["-n", "other", "status", "x"], ["status", "x", "-n", "other"], ["status", "-n", "other", "x"]):
        main(words)
        assert "Release other/x" in capsys.readouterr().err


@pytest.mark.usefixtures("nobody_listens")
def test_a_context_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--context", "there"]) == Exit.NO_ACCESS
    assert "No context there in" in capsys.readouterr().err


def test_a_bug_is_told_as_one(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(_: object) -> int:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr("tidegate.cli.lint.run", broken)
    assert main(["lint", "x"]) == Exit.BUG
    assert capsys.readouterr().err.startswith("tidegate: this is a bug in tidegate: ZeroDivisionError: oh.")
    monkeypatch.setenv("TIDEGATE_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        main(["lint", "x"])


def test_errors_have_their_codes() -> None:
    assert code_of(NotFound("x")) == Exit.NOT_FOUND
    assert code_of(Denied("x")) == code_of(Unavailable("x")) == Exit.NO_ACCESS
    assert code_of(Rejected("x")) == Exit.NO
    assert code_of(CommandFailed("x", Exit.TIMED_OUT)) == Exit.TIMED_OUT


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        package_main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"tidegate {__version__}\n"


def test_run_knows_the_operators_flags(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["run", "--help"])
    assert "--lease-duration" in capsys.readouterr().out


def test_a_reader_that_has_enough_is_no_error(tmp_path: Path) -> None:
    file = tmp_path / "many.yaml"
    file.write_text("---\n".join("{apiVersion: tidegate.dev/v1alpha1, kind: X}\n" for _ in range(3000)))
    command = f"{sys.executable} -m tidegate.cli lint {file} | head -n 1"
    answer = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, timeout=60)
    assert answer.stdout.count("\n") == 1
    assert answer.stderr == ""


@pytest.mark.parametrize("heavy", ["aiohttp", "kopf", "rich", "httpx", "pydantic"])
def test_help_loads_nothing_that_it_does_not_need(heavy: str) -> None:
    code = (
        "import sys; from tidegate.cli.parser import build; build('tidegate', []).format_help(); "
        f"sys.exit({heavy!r} in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_lint_loads_no_network(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text("{apiVersion: v1, kind: ConfigMap, metadata: {name: x}}\n")
    code = (
        f"import sys; from tidegate.cli.main import main; main(['lint', {str(file)!r}]); "
        "sys.exit(bool({'aiohttp', 'kopf', 'rich', 'httpx'} & set(sys.modules)))"
    )
    started = time.monotonic()
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60, capture_output=True).returncode == 0
    assert time.monotonic() - started < 5  # 0.3 s on an idle machine; a test only sees that nothing hangs
