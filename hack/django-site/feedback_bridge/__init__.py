# SPDX-License-Identifier: Apache-2.0
"""Connects a Django Channels site to its FeedbackBridge bot. See README.md."""

__version__ = "1.0.0"
