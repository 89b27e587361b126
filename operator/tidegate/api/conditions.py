"""Types and reasons of conditions, in one place. They are part of the API: scripts wait for them."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from tidegate.api.grammar import Time
from tidegate.api.schema import Reader


class ConditionType(StrEnum):
    """What a condition is about (kstatus: `Ready`, `Reconciling`, `Stalled`)."""

    READY = "Ready"
    """What the spec asks for is live and completed."""
    RECONCILING = "Reconciling"
    """It is on its way, waiting or paused."""
    STALLED = "Stalled"
    """Only a person can move it."""
    AVAILABLE = "Available"
    """A proven version serves, whatever became of the candidate: page on this one."""
    GATES_OPEN = "GatesOpen"
    """Nothing that people or policies shut stands before the next step."""
    GUARDS_HEALTHY = "GuardsHealthy"
    """Every guard sees data and none is beyond a limit."""
    REVERTED = "Reverted"
    """The last attempt was turned back."""
    IDENTITY_UNPROVEN = "IdentityUnproven"
    """Nobody proves who writes an Intervention. It is there only while it is true."""


class Reason(StrEnum):
    """Why a condition is as it is."""

    # on its way, or there
    COMPLETED = "Completed"
    PROGRESSING = "Progressing"
    WAITING = "Waiting"
    PREPARING = "Preparing"
    COMPLETING = "Completing"
    REVERTING = "Reverting"
    DELETING = "Deleting"
    SUPERSEDED = "Superseded"
    NOTHING_YET = "NothingYet"
    # kept from climbing
    PAUSED = "Paused"
    LOWERED_BY_HAND = "LoweredByHand"
    GUARDS_HOLD = "GuardsHold"
    NO_DATA = "NoData"
    CHECK_RUNNING = "CheckRunning"
    TARGET_UNKNOWN = "TargetUnknown"
    STABLE_NOT_READY = "StableNotReady"
    # turned back
    REVERTED = "Reverted"
    ROLLED_BACK = "RolledBack"
    FAILED = "Failed"
    GUARD_BREACHED = "GuardBreached"
    CHECK_FAILED = "CheckFailed"
    HEALTH_LOST = "HealthLost"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    BY_PERSON = "ByPerson"
    PUT_BACK = "PutBack"
    DELETED = "Deleted"
    # only a person can move it
    INVALID = "Invalid"
    NOT_PERMITTED = "NotPermitted"
    POLICY_CONFLICT = "PolicyConflict"
    POLICY_VIOLATED = "PolicyViolated"
    POLICY_CHANGED = "PolicyChanged"
    GUARD_BLIND = "GuardBlind"
    IMAGE_PULL_FAILED = "ImagePullFailed"
    CRASH_LOOP = "CrashLoop"
    QUOTA_EXCEEDED = "QuotaExceeded"
    ROUTE_MISSING = "RouteMissing"
    CONFIGURATION_MISSING = "ConfigurationMissing"
    SERVICE_IN_USE = "ServiceInUse"
    DEPENDENCY_DOWN = "DependencyDown"
    INTERNAL_ERROR = "InternalError"
    ADMISSION_MISSING = "AdmissionMissing"
    # available
    STABLE_SERVES = "StableServes"
    STABLE_LOST = "StableLost"
    NO_STABLE = "NoStable"
    # policies and Connections
    IN_FORCE = "InForce"
    REACHABLE = "Reachable"
    UNREACHABLE = "Unreachable"
    SECRET_MISSING = "SecretMissing"
    CONNECTION_MISSING = "ConnectionMissing"
    # guards and gates
    ALL_PASS = "AllPass"
    NO_GUARDS = "NoGuards"
    GATES_OPEN = "Open"
    NOT_CLIMBING = "NotClimbing"
    NOT_REVERTED = "NotReverted"


class Condition(Reader):
    """One condition, as Kubernetes has them."""

    type: str
    """What it is about."""
    status: Literal["True", "False", "Unknown"]
    """True, False or Unknown."""
    reason: str = ""
    """Why, in one word for scripts."""
    message: str = ""
    """Why, in a sentence for people."""
    observed_generation: int = 0
    """The metadata.generation that this was found out for."""
    last_transition_time: Time = 0.0
    """When the status last changed."""
