"""What stands before a provider's API: its token, its limit of requests and the ban beyond it."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.message import Message

from sandbox.endpoints import Limit, Provider
from sandbox.manners import Manners, Refusal

_MINUTE_S = 60.0


@dataclass
class _Count:
    asked: deque[float] = field(default_factory=deque)
    banned_until: float = float("-inf")


class Gates:
    """Counts the requests of each provider's token; `clock` tells real seconds.

    Limits and bans run on the real clock, also where the sandbox's present stands still.
    """

    def __init__(
        self,
        providers: Mapping[str, Provider],
        limits: Mapping[str, Limit | None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        limits = dict(limits or {})
        unknown = sorted(set(limits) - set(providers))
        if unknown:
            raise ValueError(f"no provider {unknown[0]!r}; known are {', '.join(providers)}")
        self.limits = {name: limits.get(name, each.limit) for name, each in providers.items()}
        # Without its limit a provider has none for a part of its paths either.
        self._parts = {
            name: each.part
            for name, each in providers.items()
            if each.part is not None and self.limits[name] is not None
        }
        self._providers = providers
        self._clock = clock
        self._counts: dict[str, _Count] = {}
        self._lock = threading.Lock()

    def refuse(
        self,
        provider: str | None,
        headers: Mapping[str, str] | Message,
        params: Mapping[str, str],
        manners: Manners,
        now: int,
        path: str = "",
    ) -> Refusal | None:
        """Return the refusal of a request, None if it may pass; every one that may is counted.

        Paths beside the API, such as files, are not counted, but a ban closes them too.
        """
        if provider is None:
            return None
        token = self._providers[provider].token
        if token is not None:
            # Either way will do, as with the real platform; names of parameters in any case.
            shown = headers.get(token.header)
            if shown is None:
                named = (v for name, v in params.items() if name.lower() == token.param.lower())
                shown = next(named, None)
            if shown != token.value:
                return manners.unauthorised(now)
        limit = self.limits[provider]
        if limit is None:
            return None
        prefix, part = self._providers[provider].prefix, self._parts.get(provider)
        beside = bool(path) and path != prefix and not path.startswith(prefix + "/")
        limited = [] if beside else [(provider, limit)]
        if part is not None and path.startswith(prefix + part.path):
            limited.append((prefix + part.path, part.limit))
        if self._banned(provider) or any(self._beyond(provider, *each) for each in limited):
            return manners.too_many()
        return None

    def _banned(self, provider: str) -> bool:
        with self._lock:
            return self._clock() < self._counts.setdefault(provider, _Count()).banned_until

    def _beyond(self, provider: str, counted: str, limit: Limit) -> bool:
        moment = self._clock()
        with self._lock:
            count = self._counts.setdefault(counted, _Count())
            while count.asked and count.asked[0] <= moment - _MINUTE_S:
                count.asked.popleft()
            if len(count.asked) < limit.requests_per_min:
                count.asked.append(moment)
                return False
            self._counts[provider].banned_until = moment + limit.ban_s
            # The ban is the whole punishment: after it the minute starts anew.
            count.asked.clear()
            return True
