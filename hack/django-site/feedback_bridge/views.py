# SPDX-License-Identifier: Apache-2.0
"""Attachments over HTTP. Who may see one is the caller's to decide."""

import re

from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.utils.http import urlencode


def serve(attachment):
    """The content of an attachment, as a download: what somebody sent never runs as a page of the site."""
    if attachment.url:
        return HttpResponseRedirect(attachment.url)
    if attachment.content is None:
        raise Http404("the bot did not send the content")
    mime = attachment.mime if re.fullmatch(r"[\w.+-]+/[\w.+-]+", attachment.mime, re.ASCII) else "application/octet-stream"
    response = HttpResponse(bytes(attachment.content), content_type=mime)
    quoted = urlencode({"": attachment.name})[1:].replace("+", "%20")
    response["Content-Disposition"] = f"attachment; filename*=UTF-8''{quoted}"
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    return response
