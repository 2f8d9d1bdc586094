# SPDX-License-Identifier: Apache-2.0
from django.contrib import messages
from django.db import transaction
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import get_language
from django.views.decorators.http import require_http_methods, require_POST

from feedback_bridge.models import Attachment, Feedback
from feedback_bridge.views import serve

from .forms import FeedbackForm
from .texts import texts

# A visitor without an account knows the own feedback by the session.
MINE, KEPT = "feedback", 50


@require_http_methods(["GET", "POST"])
def write(request):
    form = FeedbackForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        given = dict(form.cleaned_data, locale=get_language())
        file = given.pop("file")
        with transaction.atomic():  # this is all: the app does the rest
            feedback = Feedback.objects.create(**given)
            if file:
                feedback.attach(file.name, file.read(), file.content_type)
        request.session[MINE] = [*request.session.get(MINE, []), feedback.pk][-KEPT:]
        messages.success(request, texts()["thanks"])
        return redirect("mine")
    return render(request, "portal/write.html", {"form": form})


def own(request):
    return Feedback.objects.filter(pk__in=request.session.get(MINE, []))


@require_http_methods(["GET"])
def mine(request):
    feedback = own(request).prefetch_related("replies__attachments").order_by("-pk")
    words = texts()
    for one in feedback:
        one.category_name = words["categories"].get(one.category, one.category)
        one.status_name = words["statuses"].get(one.status, one.status)
    return render(request, "portal/mine.html", {"feedback": feedback})


@require_POST
def add(request, number):
    feedback = get_object_or_404(own(request), pk=number)
    text = request.POST.get("text", "").strip()[:2000]
    if text:
        feedback.add_reply(text, sender="user")
        messages.success(request, texts()["added"])
    else:
        messages.error(request, texts()["empty"])
    return redirect("mine")


@require_http_methods(["GET"])
def download(request, number):
    """A file of a feedback or reply, for whose feedback it is."""
    return serve(get_object_or_404(Attachment, pk=number, feedback__in=own(request)))
