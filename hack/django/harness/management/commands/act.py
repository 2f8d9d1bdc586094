# SPDX-License-Identifier: Apache-2.0
from django.core.management.base import BaseCommand

from feedback_bridge.models import feedback_model


class Command(BaseCommand):
    help = "Does what the site's staff does on the admin page, or a user on the page with the own feedback."

    def add_arguments(self, parser):
        parser.add_argument("mark", help='a part of the feedback\'s text, such as "[1]"')
        parser.add_argument("--status")
        parser.add_argument("--reply", help="the staff's")
        parser.add_argument("--add", help="what the user adds")

    def handle(self, *args, **options):
        feedback = feedback_model().objects.get(message__contains=options["mark"])
        if options["reply"]:
            feedback.add_reply(options["reply"])
        if options["add"]:
            feedback.add_reply(options["add"], sender="user")
        if options["status"]:
            feedback.change_status(options["status"])
