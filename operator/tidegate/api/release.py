"""Release: what version of one app should be live, in which components, by which steps, under which guards."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import ConfigDict, Field, model_validator

from tidegate.api.configuration import CONFIG_MAP, SECRET, Mention
from tidegate.api.grammar import Duration, Name, Reference, Version
from tidegate.api.guard import Guard
from tidegate.api.ladder import Ladder
from tidegate.api.meta import Meta
from tidegate.api.named import BY_NAME, MERGED_BY_NAME
from tidegate.api.pods import PodTemplate, TemplateImage, TemplateSource
from tidegate.api.schema import Matching, Model, Rule, Schema, words
from tidegate.api.status import ReleaseStatus

LONGEST_NAMES: Final = 36
"""`metadata.name` and the name of a component or check, together: both stand in names of Services (63 at most) beside a
revision."""


class When(StrEnum):
    """When a check is asked."""

    BEFORE_TRAFFIC = "BeforeTraffic"
    EACH_STEP = "EachStep"
    BEFORE_COMPLETION = "BeforeCompletion"


class DeletionPolicy(StrEnum):
    """What becomes of the app when its Release is deleted."""

    KEEP = "Keep"
    DELETE = "Delete"


# ---- components


class HTTPRouteRef(Model):
    """An HTTPRoute of the namespace that names the component's Service."""

    name: Reference
    """Its name. Ours in it are the backendRefs that name `service` or our revisions of it; all else stays as it is."""


class ServiceSplit(Model):
    """Nothing but the component's own Service, which then selects the pods of both versions."""


class IstioRef(Model):
    """A VirtualService of the namespace that names the component's Service."""

    virtual_service: Reference
    """Its name. Ours in it are the destinations in http[].route that name `service` or our revisions of it; all else
    stays as it is."""


TRAFFIC_MESSAGE: Final = "write exactly one of httpRoute, service and istio: it says how traffic is split"


class Traffic(Model):
    """How traffic is split between stable and candidate."""

    model_config = ConfigDict(
        json_schema_extra=words(
            Rule(
                "[has(self.httpRoute), has(self.service), has(self.istio)].filter(said, said).size() == 1",
                TRAFFIC_MESSAGE,
            )
        )
    )

    http_route: HTTPRouteRef | None = None
    """By the weights of this HTTPRoute's backendRefs."""
    service: ServiceSplit | None = None
    """By the numbers of ready pods, with no gateway. Write {}. A weight is rounded down to what whole pods can do
    beside those of stable, though never to none; between 50 and 100 it is 50."""
    istio: IstioRef | None = None
    """By the weights of destinations in a VirtualService of Istio (1.22 or newer)."""

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        if sum(member is not None for member in (self.http_route, self.service, self.istio)) != 1:
            raise ValueError(TRAFFIC_MESSAGE)
        return self


HTTPPath = Annotated[
    str,
    Field(min_length=1, max_length=1024),
    Matching("/[^ #]*", "write a path that begins with /, as in /health"),
]


HEADER: Final = "x-tidegate-version"
HEADER_MESSAGE: Final = "write the name of a header, in letters, digits and '-', such as x-tidegate-version"
PREVIEW_MESSAGE: Final = (
    "preview needs traffic.httpRoute: only there can requests be told apart by a header; leave preview out"
)


class Preview(Model):
    """How requests reach the candidate before it has weight."""

    header: Annotated[str, Field(min_length=1, max_length=64), Matching("[A-Za-z0-9-]+", HEADER_MESSAGE)] | None = None
    """Requests with this header, whose value is the candidate's version or revision, go to the candidate, whatever its
    weight is. Absent: x-tidegate-version."""


class Probes(Model):
    """Paths on the component's port that Tidegate itself reads from the candidate, beside the kubelet's own probes."""

    health: HTTPPath | None = None
    """Answers 200 when the process is well."""
    ready: HTTPPath | None = None
    """Answers 200 when it can serve; a JSON body that tells of dependencies names in the condition the one that is
    down."""
    version: HTTPPath | None = None
    """Tells the version, as plain text or as a JSON with `version`; it must be the candidate's."""


TEMPLATE_MESSAGE: Final = "write exactly one of template and templateFrom: it says what the pods are"
IMAGES_MESSAGE: Final = "images stand beside templateFrom; in a template write the image in its container"
IMAGE_TWICE_MESSAGE: Final = "two images are for the same container: write one of them"
LIVE_MESSAGE: Final = "write exactly one of configMap and secret: it is the name of what the pods read live"


class Live(Model):
    """A ConfigMap or Secret that the pods read as it is now, whatever revision they are of."""

    model_config = ConfigDict(json_schema_extra=words(Rule("has(self.configMap) != has(self.secret)", LIVE_MESSAGE)))

    config_map: Reference | None = None
    """Name of a ConfigMap that the template names."""
    secret: Reference | None = None
    """Name of a Secret that the template names, as of a certificate that is renewed under running pods."""

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        if (self.config_map is None) == (self.secret is None):
            raise ValueError(LIVE_MESSAGE)
        return self

    @property
    def mention(self) -> Mention:
        """As the template names it."""
        return Mention(CONFIG_MAP, self.config_map) if self.config_map else Mention(SECRET, self.secret or "")


class Kubernetes(Model):
    """Pods, one Deployment and one Service for each revision."""

    model_config = ConfigDict(
        json_schema_extra=words(
            Rule("has(self.template) != has(self.templateFrom)", TEMPLATE_MESSAGE),
            Rule("!has(self.images) || has(self.templateFrom)", IMAGES_MESSAGE, ".images"),
            Rule("!has(self.preview) || has(self.traffic.httpRoute)", PREVIEW_MESSAGE, ".preview"),
        )
    )

    replicas: Annotated[int, Field(ge=1, le=10_000)]
    """Pods at 100 %. The candidate has as many as the step ahead needs; stable keeps all of them until completion."""
    template: PodTemplate | None = None
    """The pods. A change of it, or of a ConfigMap or Secret that it names, is a new revision, also under an old
    version: each revision runs with copies of its own."""
    template_from: TemplateSource | None = None
    """Instead of a template: the pods of a Deployment of this namespace, which is taken over. A change of its pod
    template is a new revision, and climbs."""
    images: Annotated[
        tuple[TemplateImage, ...],
        Field(max_length=48),
        Schema(
            Rule("self.all(one, self.exists_one(other, other.container == one.container))", IMAGE_TWICE_MESSAGE),
            list_type="map",
            list_map_keys=["container"],
        ),
    ] = ()
    """Beside templateFrom: images instead of those that the Deployment's template has."""
    live: Annotated[tuple[Live, ...], Field(max_length=32), Schema(list_type="atomic")] = ()
    """ConfigMaps and Secrets that are no part of a revision: they are not copied, a change of them begins no climb, and
    no revert brings their old content back."""
    port: Annotated[int, Field(ge=1, le=65_535)]
    """The container's port, and that of the revisions' Services."""
    service: Reference | None = None
    """The app's own Service, which routes name. Its selector is pinned to the stable revision; with traffic.service
    it carries the split. Absent: one is made, named after Release and component, as in storefront-graphql."""
    traffic: Traffic
    """How traffic is split between stable and candidate."""
    preview: Preview | None = None
    """Marked requests reach the candidate before it has weight, and while it climbs. Write {} for the usual header.
    Absent: none do."""
    probes: Probes | None = None
    """What Tidegate itself reads from the candidate."""
    drain: Duration | None = None
    """So long after traffic was seen to have left a revision its pods keep serving. Absent: 30s."""

    @model_validator(mode="after")
    def _pods(self) -> Self:
        if (self.template is None) == (self.template_from is None):
            raise ValueError(TEMPLATE_MESSAGE)
        if self.images and self.template_from is None:
            raise ValueError(f"images: {IMAGES_MESSAGE}")
        if len({image.container for image in self.images}) < len(self.images):
            raise ValueError(f"images: {IMAGE_TWICE_MESSAGE}")
        if self.preview is not None and self.traffic.http_route is None:
            raise ValueError(f"preview: {PREVIEW_MESSAGE}")
        return self

    @property
    def preview_header(self) -> str | None:
        """By which requests ask for the candidate; None if they can't."""
        return None if self.preview is None else self.preview.header or HEADER


class Component(Model):
    """One part of the app that has a version of its own pods. Components without steps of their own climb in lock-
    step."""

    name: Name
    """Name of the component, unique in the Release."""
    steps: Ladder | None = None
    """Its own ladder. Absent: the Release's, in lock-step with the others."""
    kubernetes: Kubernetes
    """It runs as pods in this namespace."""


# ---- checks


class JobCheck(Model):
    """A suspended CronJob of the namespace, run once as `kubectl create job --from=cronjob/...` does."""

    cron_job: Reference
    """Its name; it must carry the label tidegate.dev/release with this Release's name. $(version) in its images is
    filled in."""
    timeout: Duration | None = None
    """The check fails if the Job has not ended after this long. Absent: 10m."""


class Via(StrEnum):
    """By which way a check asks, where it is not the straight one to a pod."""

    PREVIEW = "Preview"


class HTTPCheck(Model):
    """One GET to the candidate of a component. No redirect is followed and no body is kept."""

    component: Name
    """Whose candidate is asked, on its port."""
    path: HTTPPath
    """The path, with a query if need be."""
    via: Via | None = None
    """Preview: through the Gateway of the component's HTTPRoute, with its preview header, as people come. Absent:
    straight to a pod."""
    status: Annotated[
        tuple[Annotated[int, Field(ge=100, le=599)], ...],
        Field(min_length=1, max_length=16),
        Schema(list_type="set"),
    ] = (200,)
    """The statuses that pass. Absent: 200."""
    timeout: Duration | None = None
    """The check fails without an answer after this long. Absent: 5s."""


CHECK_MESSAGE: Final = "write exactly one of job and http: it says what the check does"


class Check(Model):
    """A question with a yes or a no, asked at set points of the climb. A no before traffic fails the candidate, later
    it reverts."""

    model_config = ConfigDict(json_schema_extra=words(Rule("has(self.job) != has(self.http)", CHECK_MESSAGE)))

    name: Name
    """Under this name the check is shown."""
    when: Annotated[tuple[When, ...], Field(min_length=1, max_length=3), Schema(list_type="set")]
    """BeforeTraffic: once, before the first step. EachStep: at each step, before the next. BeforeCompletion: once,
    after the last hold."""
    job: JobCheck | None = None
    """By a Job made from a CronJob."""
    http: HTTPCheck | None = None
    """By one GET to the candidate."""

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        if (self.job is None) == (self.http is None):
            raise ValueError(CHECK_MESSAGE)
        return self


class Deadlines(Model):
    """How long the machine may owe something before the candidate is reverted. Waiting for people does not count."""

    ready: Duration | None = None
    """Until the candidate is ready. Absent: the policy's, else 10m."""
    step: Duration | None = None
    """Until a step has passed after its hold was full, and without a usable measurement. Absent: the policy's, else
    6h."""
    orphan: Duration | None = None
    """Until a deleted Release whose target does not answer is let go. Absent: the policy's, else 1h."""


# ---- the Release


def _too_long(of: str) -> str:
    return f"metadata.name and the name of {of} may have {LONGEST_NAMES} characters together: shorten one of them"


def _none_of(component: str) -> str:
    return f"{component!r} is none of spec.components; write the name of one of them"


VIA_MESSAGE: Final = "via Preview needs preview in that component: write preview there, or leave via out"
COMPONENT_MESSAGE: Final = "component is none of spec.components: write the name of one of them"
_COMPONENTS: Final = "self.components.exists(c, c.name == {})"


class ReleaseSpec(Model):
    """What should be live."""

    model_config = ConfigDict(
        json_schema_extra=words(
            Rule(
                "!has(self.checks) || self.checks.all(k, !has(k.http) || "
                + _COMPONENTS.format("k.http.component")
                + ")",
                "a check's http." + COMPONENT_MESSAGE,
                ".checks",
            ),
            Rule(
                "!has(self.checks) || self.checks.all(k, !has(k.http) || !has(k.http.via) || "
                "self.components.exists(c, c.name == k.http.component && has(c.kubernetes.preview)))",
                "a check's http." + VIA_MESSAGE,
                ".checks",
            ),
            Rule(
                "!has(self.guards) || self.guards.all(g, !has(g.component) || "
                + _COMPONENTS.format("g.component")
                + ")",
                "a guard's " + COMPONENT_MESSAGE,
                ".guards",
            ),
        )
    )

    version: Version
    """The version that should be live. A normal release changes only this line. Quote one that YAML reads as a
    number."""
    author: Annotated[str, Field(min_length=1, max_length=253)] | None = None
    """Who wrote this spec. Stamped by the server: leave it out, unless you hold the verb submit on releases."""
    steps: Ladder | None = None
    """The ladder. Absent: the policy's, else 10, 50 and 100, each held for 15m."""
    keep_previous: Duration | None = None
    """So long after completion the old version stays warm, for a rollback in seconds. Absent: the policy's, else 1h."""
    deadlines: Deadlines | None = None
    """How long the machine may owe something before the candidate is reverted."""
    components: Annotated[tuple[Component, ...], Field(min_length=1, max_length=16), BY_NAME, MERGED_BY_NAME]
    """The parts of the app."""
    checks: Annotated[tuple[Check, ...], Field(max_length=16), BY_NAME, MERGED_BY_NAME] = ()
    """Questions with a yes or a no, asked at set points of the climb."""
    guards: Annotated[tuple[Guard, ...], Field(max_length=32), BY_NAME, MERGED_BY_NAME] = ()
    """Limits that are watched all the time. The policies' always apply too."""
    paused: bool | None = None
    """The ladder climbs no further while this is true. For Git; people use an Intervention."""
    deletion_policy: DeletionPolicy | None = None
    """Keep: on deletion traffic is settled on the stable version and its pods stay. Delete: the app goes. Absent:
    Keep."""

    @model_validator(mode="after")
    def _names(self) -> Self:
        components = {component.name for component in self.components}
        for check in self.checks:
            if check.http is not None and check.http.component not in components:
                raise ValueError(f"checks: {check.name}: {_none_of(check.http.component)}")
        previewed = {component.name for component in self.components if component.kubernetes.preview is not None}
        for check in self.checks:
            if check.http is not None and check.http.via is not None and check.http.component not in previewed:
                raise ValueError(f"checks: {check.name}: {VIA_MESSAGE}")
        for guard in self.guards:
            if guard.component is not None and guard.component not in components:
                raise ValueError(f"guards: {guard.name}: {_none_of(guard.component)}")
        return self


ROUTE_MESSAGE: Final = (
    "service and traffic of a component that has had traffic can't be changed: the old way would stay on the old "
    "version for ever; remove the component and add it under another name, or delete the Release and create it "
    "anew"
)


def _service_cel(component: str) -> str:
    own = f"{component}.kubernetes.service"
    return f"(has({own}) ? {own} : self.metadata.name + '-' + {component}.name)"


_REACHED_AS_BEFORE: Final = (
    "!has(self.status) || !(has(self.status.stable) || has(self.status.touched)) || oldSelf.spec.components.all(old, "
    "self.spec.components.all(new, new.name != old.name || "
    "(new.kubernetes.traffic == old.kubernetes.traffic && "
    f"{_service_cel('new')} == {_service_cel('old')})))"
)


class Release(Model):
    """What version of one app should be live, in which components, by which steps, under which guards."""

    model_config = ConfigDict(
        extra="ignore",
        json_schema_extra=words(
            Rule(
                "self.metadata.name.matches('^[a-z]([a-z0-9-]*[a-z0-9])?$')",
                "metadata.name: write lower-case letters, digits and '-', a letter first: Services bear it",
            ),
            Rule(
                f"self.spec.components.all(c, size(self.metadata.name) + size(c.name) <= {LONGEST_NAMES})",
                _too_long("a component"),
            ),
            Rule(
                "!has(self.spec.checks) || "
                f"self.spec.checks.all(c, size(self.metadata.name) + size(c.name) <= {LONGEST_NAMES})",
                _too_long("a check"),
            ),
            Rule(_REACHED_AS_BEFORE, ROUTE_MESSAGE, ".spec.components"),
        ),
    )

    metadata: Meta
    spec: ReleaseSpec
    """What should be live."""
    status: ReleaseStatus = Field(default_factory=ReleaseStatus)
    """What is, and the operator's whole memory. Only the operator writes it."""

    @model_validator(mode="after")
    def _lengths(self) -> Self:
        for kind, things in (("component", self.spec.components), ("check", self.spec.checks)):
            for thing in things:
                if len(self.metadata.name) + len(thing.name) > LONGEST_NAMES:
                    raise ValueError(_too_long(f"the {kind} {thing.name!r}"))
        return self
