"""A check by a Job, made from a CronJob of the user as `kubectl create job --from=cronjob/...` makes one.

Whoever wrote the CronJob chose image, ServiceAccount and Secrets; of us are the version in its images, variables that
say what is asked about, and limits in time. The Job's own conditions are the answer, so it survives restarts of ours.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

from tidegate.api.grammar import expand
from tidegate.api.meta import (
    API_VERSION,
    KIND_RELEASE,
    LABEL_COMPONENT,
    LABEL_MANAGED_BY,
    LABEL_RELEASE,
    LABEL_REVISION,
    LABEL_VERSION,
    MANAGED_BY,
    short,
)
from tidegate.api.permission import refusal
from tidegate.api.release import JobCheck
from tidegate.checks.answers import Answers
from tidegate.checks.port import App, CheckResult, Reachable
from tidegate.engine.values import CheckKey, Outcome, Version, When
from tidegate.errors import AlreadyExists, Rejected, Transient
from tidegate.kube import CRONJOBS, JOBS, SERVICES, Cluster, Object

TIMEOUT: Final = 600.0  # seconds, where the check says nothing
KEPT_FOR: Final = (
    86_400  # seconds, for whoever wants to read the logs; the answer itself is kept in the Release's status
)
LONGEST_NAME: Final = 63
LABEL_CHECK: Final = "tidegate.dev/check"

_MOMENTS: Final[Mapping[When, str]] = {When.BEFORE_TRAFFIC: "before", When.BEFORE_COMPLETION: "after"}


class JobChecks:
    """Stateless but for refusals: all else is in the Jobs."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._refused = Answers()

    async def run(self, app: App, key: CheckKey, sizes: Mapping[tuple[str, str], Reachable]) -> None:
        check, candidate = job_of(app, key), app.status.candidate
        if check is None or candidate is None:
            return
        name = job_name(app.name, candidate.content, key)
        if self._refused.get(app, key):
            return
        if there := self._cluster.get(JOBS, app.namespace, name):
            _check_ours(there, app)
            return
        cronjob = self._cluster.get(CRONJOBS, app.namespace, check.cron_job)
        if cronjob is None:
            sentence = f"Check {key.name}: CronJob {check.cron_job} is not there. Create it, suspended, and retry."
            self._refused.put(app, key, CheckResult(Outcome.FAILED, sentence))
            return
        labels = cronjob["metadata"].get("labels")
        if refused := refusal("CronJob", app.namespace, check.cron_job, labels, app.name):
            self._refused.put(app, key, CheckResult(Outcome.FAILED, f"Check {key.name}: {refused}"))
            return
        try:
            body = job(app, candidate, key, check, cronjob, self._endpoints(app, candidate))
            await self._cluster.create(JOBS, app.namespace, body)
        except AlreadyExists:
            return  # from an earlier try
        except (Rejected, ValueError) as error:
            sentence = f"Check {key.name}: the Job of CronJob {check.cron_job} can't be made: {error}"
            self._refused.put(app, key, CheckResult(Outcome.FAILED, sentence))

    def observe(self, app: App, keys: Iterable[CheckKey]) -> Mapping[CheckKey, CheckResult]:
        candidate = app.status.candidate
        known: dict[CheckKey, CheckResult] = {}
        for key in keys:
            if answer := self._refused.get(app, key):
                known[key] = answer
            elif candidate is not None and job_of(app, key) is not None:
                found = self._cluster.get(JOBS, app.namespace, job_name(app.name, candidate.content, key))
                if found is not None and _is_of(found, app):
                    known[key] = outcome(found, key.name)
        return known

    def forget(self, namespace: str, name: str) -> None:
        self._refused.forget(namespace, name)

    def _endpoints(self, app: App, candidate: Version) -> Mapping[str, str]:
        """host:port of the Service that reaches the candidate alone, by component. An address: not every cluster has
        DNS."""
        found: dict[str, str] = {}
        for service in self._cluster.of_release(SERVICES, app.namespace, app.name):
            labels = service["metadata"].get("labels") or {}
            content = candidate.runs(labels.get(LABEL_COMPONENT, ""))
            ports = service["spec"].get("ports") or ()
            if content and labels.get(LABEL_REVISION) == short(content) and ports:
                host = service["spec"].get("clusterIP") or f"{service['metadata']['name']}.{app.namespace}.svc"
                found[labels[LABEL_COMPONENT]] = (
                    f"[{host}]:{ports[0]['port']}" if ":" in host else f"{host}:{ports[0]['port']}"
                )
        return found


def job_of(app: App, key: CheckKey) -> JobCheck | None:
    """What the spec says of a check, if it is one of this kind."""
    return next((check.job for check in app.release.spec.checks if check.name == key.name), None)


def job_name(release: str, content: str, key: CheckKey) -> str:
    """One name for one key: a repeat after a crash makes no second Job. Above 63 characters the end is a hash."""
    moment = _MOMENTS.get(key.when, f"step-{key.move}")
    name = f"{release}-{key.name}-{short(content)}-{key.attempt}-{moment}"
    if len(name) <= LONGEST_NAME:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: LONGEST_NAME - 9]}-{digest}"


def job(
    app: App, candidate: Version, key: CheckKey, check: JobCheck, cronjob: Object, endpoints: Mapping[str, str]
) -> Object:
    """The Job. Raises ValueError for an unknown placeholder in an image."""
    template: dict[str, Any] = json.loads(json.dumps(cronjob["spec"]["jobTemplate"]))
    metadata: Mapping[str, Any] = template.get("metadata") or {}
    spec: dict[str, Any] = template.get("spec") or {}
    spec.pop("suspend", None)
    spec["activeDeadlineSeconds"] = math.ceil(TIMEOUT if check.timeout is None else check.timeout)
    spec["ttlSecondsAfterFinished"] = KEPT_FOR
    _prepare(spec["template"]["spec"], app, candidate, key, endpoints)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": job_name(app.name, candidate.content, key),
            "namespace": app.namespace,
            "labels": {
                **(metadata.get("labels") or {}),
                LABEL_MANAGED_BY: MANAGED_BY,
                LABEL_RELEASE: app.name,
                LABEL_REVISION: short(candidate.content),
                LABEL_VERSION: candidate.name,
                LABEL_CHECK: key.name,
            },
            "annotations": {**(metadata.get("annotations") or {}), "cronjob.kubernetes.io/instantiate": "manual"},
            # A Job serves nobody: it may go with its Release.
            "ownerReferences": [{"apiVersion": API_VERSION, "kind": KIND_RELEASE, "name": app.name, "uid": app.uid}],
        },
        "spec": spec,
    }


def _prepare(pod: dict[str, Any], app: App, candidate: Version, key: CheckKey, endpoints: Mapping[str, str]) -> None:
    names = {"version": candidate.name, "revision": short(candidate.content), "release": app.name}
    variables = {
        "TIDEGATE_NAMESPACE": app.namespace,
        "TIDEGATE_RELEASE": app.name,
        "TIDEGATE_VERSION": candidate.name,
        "TIDEGATE_REVISION": short(candidate.content),
        "TIDEGATE_CHECK": key.name,
        "TIDEGATE_WHEN": key.when.value,
        "TIDEGATE_ATTEMPT": str(key.attempt),
        **({"TIDEGATE_COMPONENT": key.part} if key.part else {}),
        **{
            f"TIDEGATE_PREVIEW_HEADER_{variable(component.name)}": header
            for component in app.release.spec.components
            if (header := component.kubernetes.preview_header) is not None
        },
        **{f"TIDEGATE_ENDPOINT_{variable(component)}": address for component, address in sorted(endpoints.items())},
    }
    for container in (*(pod.get("initContainers") or ()), *(pod.get("containers") or ())):
        container["image"] = expand(str(container.get("image", "")), names)
        others = [entry for entry in container.get("env") or () if entry.get("name") not in variables]
        container["env"] = [*({"name": name, "value": value} for name, value in variables.items()), *others]


def variable(component: str) -> str:
    """A component's name within the name of an environment variable."""
    return component.upper().replace("-", "_")


def _is_of(found: Object, app: App) -> bool:
    """Whether the Job is of this very Release, and not of one of its name that was deleted."""
    return any(owner.get("uid") == app.uid for owner in found["metadata"].get("ownerReferences") or ())


def _check_ours(found: Object, app: App) -> None:
    if not _is_of(found, app):
        name = found["metadata"]["name"]
        raise Transient(
            f"Job {name} is left from an earlier Release {app.name}. If it does not go by itself: "
            f"kubectl delete job --namespace {app.namespace} {name}"
        )


def outcome(found: Object, check: str) -> CheckResult:
    """From the Job's conditions."""
    name = found["metadata"]["name"]
    conditions = {
        condition["type"]: condition
        for condition in (found.get("status") or {}).get("conditions") or ()
        if condition.get("status") == "True"
    }
    if "Complete" in conditions:
        return CheckResult(Outcome.PASSED, f"Check {check}: Job {name} succeeded.", name)
    if failed := conditions.get("Failed"):
        why = str(failed.get("message") or failed.get("reason") or "it says no more").rstrip(".")
        sentence = f"Check {check}: Job {name} failed: {why}. See kubectl logs job/{name}."
        return CheckResult(Outcome.FAILED, sentence, name)
    return CheckResult(Outcome.RUNNING, "", name)
