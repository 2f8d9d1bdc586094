# SPDX-License-Identifier: Apache-2.0
from django.contrib import messages
from django.http import Http404
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.views.decorators.http import require_http_methods, require_POST

from feedback_bridge.models import Feedback

from .forms import FeedbackForm
from .texts import texts

# A visitor without an account knows the own feedback by the session.
MINE, KEPT = "feedback", 50


@require_http_methods(["GET", "POST"])
def write(request):
    form = FeedbackForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        # This is all: the app does the rest.
        feedback = Feedback.objects.create(**form.cleaned_data, locale=get_language())
        request.session[MINE] = [*request.session.get(MINE, []), feedback.pk][-KEPT:]
        messages.success(request, texts()["thanks"])
        return redirect("mine")
    return render(request, "portal/write.html", {"form": form})


@require_http_methods(["GET"])
def mine(request):
    feedback = Feedback.objects.filter(pk__in=request.session.get(MINE, [])).prefetch_related("replies").order_by("-pk")
    words = texts()
    for one in feedback:
        one.category_name = words["categories"].get(one.category, one.category)
        one.status_name = words["statuses"].get(one.status, one.status)
    return render(request, "portal/mine.html", {"feedback": feedback})


@require_POST
def add(request, number):
    feedback = Feedback.objects.filter(pk__in=request.session.get(MINE, []), pk=number).first()
    if feedback is None:
        raise Http404
    text = request.POST.get("text", "").strip()[:2000]
    if text:
        feedback.add_reply(text, sender="user")
        messages.success(request, texts()["added"])
    else:
        messages.error(request, texts()["empty"])
    return redirect("mine")
