# SPDX-License-Identifier: Apache-2.0
from feedback_bridge.consumer import FeedbackBotConsumer

__all__ = ["FeedbackBotConsumer"]
