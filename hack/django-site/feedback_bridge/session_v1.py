# SPDX-License-Identifier: Apache-2.0
"""Version 1: new_feedback out, feedback_result in. Statuses and replies wait in the outbox for a session that has them."""

from __future__ import annotations

from . import inbox, wire
from .conf import conf
from .outbox import Message
from .session import Outcome, Session


class SessionV1(Session):
    protocol = "v1"

    def handle(self, text: str, at: float) -> Outcome:
        frame = wire.read(text)
        if frame["type"] == "ping":
            return Outcome(reply=wire.PONG)
        if frame["type"] != wire.RESULT:  # pong, and what may come one day
            return Outcome()
        result = wire.open_result_v1(frame, self.ring(), at, conf.TTL)
        inbox.result(result)
        return Outcome(released=result.id)

    def frame(self, message: Message) -> str:
        return wire.new_feedback_v1(
            self.ring().preferred, message.uid, message.data, *self.stamp(), ensure_ascii=conf.V1_ENSURE_ASCII
        )

    def types(self) -> tuple:
        return (wire.NEW_FEEDBACK,)

    def patience(self) -> float:
        return conf.RESULT_TIMEOUT
