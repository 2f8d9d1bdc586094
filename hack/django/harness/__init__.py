# SPDX-License-Identifier: Apache-2.0
"""What the tests of hack/django do inside the site: create feedback in earnest, and say what became of it."""
