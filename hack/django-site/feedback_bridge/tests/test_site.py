# SPDX-License-Identifier: Apache-2.0
"""What the site's people see: checks, commands, admin pages."""

import io
import json
from unittest import mock

from django.contrib.auth import get_user_model
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.http import Http404
from django.test import SimpleTestCase, TestCase, override_settings
from django.urls import reverse

from feedback_bridge import checks, session, times
from feedback_bridge.apps import send_at_once
from feedback_bridge.models import Attachment, Connection, Feedback, Outbox, Reply
from feedback_bridge.views import serve

from .bot import SETTINGS


class CheckTests(SimpleTestCase):
    def found(self, check=checks.check_settings, **settings):
        with override_settings(**settings):
            return [message.id.rpartition(".")[2] for message in check()]

    def test_settings(self):
        good = {"HMAC_SECRET": "h" * 32, "JWT_SECRET": "j" * 32}
        for want, settings in (
            ([], good),
            ([], {**good, "HMAC_SECRET": ["h" * 32, b"i" * 32]}),
            (["E001"], ["HMAC_SECRET"]),
            (["E002"], {**good, "HMAC_SECRETS": "x"}),
            (["E003"], {**good, "WINDOW": "64"}),
            (["E003"], {**good, "WINDOW": True}),
            (["E003"], {**good, "WINDOW": 0}),
            (["E003"], {**good, "POLL_INTERVAL": float("nan")}),
            (["E003"], {**good, "RETENTION_DAYS": 29}),
            (["E004"], {**good, "PROTOCOLS": ["v3"]}),
            (["E004"], {**good, "PROTOCOLS": []}),
            (["E005"], {**good, "SECRET_DIR": "/no/such/directory"}),
            (["E006", "E007"], {}),
            (["E007"], {"HMAC_SECRET": "h" * 32}),
            (["W001"], {**good, "HMAC_SECRET": "secret"}),
        ):
            with self.subTest(str(settings)):
                self.assertEqual(self.found(FEEDBACK_BRIDGE=settings), want)

    def test_suggests_and_tells_no_secret(self):
        with override_settings(FEEDBACK_BRIDGE={"HMAC_SECERT": "tell nobody", "JWT_SECRET": 7}):
            text = " ".join(f"{message.msg} {message.hint}" for message in checks.check_settings())
        self.assertIn("Do you mean HMAC_SECRET?", text)
        self.assertNotIn("tell nobody", text)

    def test_migrate_needs_no_secrets(self):
        with override_settings(FEEDBACK_BRIDGE={}):
            self.assertEqual(checks.check_settings(databases=["default"]), [])
            self.assertEqual(checks.check_site(databases=["default"]), [])

    def test_site(self):
        for want, settings in (
            ([], {}),
            (["E013"], {"ASGI_APPLICATION": None}),
            (["E014"], {"FEEDBACK_BRIDGE": {"CHANNEL_LAYER": "other"}}),
            (["E015"], {"ASGI_APPLICATION": "no.such.application"}),
            (["W002"], {"ASGI_APPLICATION": "feedback_bridge.tests.unrouted.pages"}),
            (["W002"], {"ASGI_APPLICATION": "feedback_bridge.tests.unrouted.no_websockets"}),
            (["W002"], {"ASGI_APPLICATION": "feedback_bridge.tests.unrouted.others"}),
            ([], {"ASGI_APPLICATION": "feedback_bridge.tests.unrouted.unknown"}),
        ):
            with self.subTest(str(settings)):
                self.assertEqual(self.found(checks.check_site, **settings), want)

    def test_model(self):
        self.assertEqual(self.found(checks.check_model), [])


class ServerTests(SimpleTestCase):
    def test_daphne_sends_every_frame_at_once(self):
        try:
            from autobahn.twisted.websocket import WebSocketServerFactory
            from daphne import ws_protocol
        except ImportError:
            self.skipTest("daphne is not installed")
        send_at_once()
        connection, transport = ws_protocol.WebSocketProtocol(), mock.Mock()
        connection.factory = WebSocketServerFactory()
        connection.makeConnection(transport)
        transport.setTcpNoDelay.assert_called_once_with(True)


@override_settings(FEEDBACK_BRIDGE=SETTINGS)
class CommandTests(TestCase):
    def status(self, *arguments):
        out = io.StringIO()
        call_command("feedback_bridge_status", *arguments, stdout=out)
        return out.getvalue()

    def test_status(self):
        self.assertIn("last heard of: never", self.status())
        with self.assertRaises(CommandError):
            self.status("--check")
        session.open_generation("v2")
        Connection.objects.update(peer_keys=["0" * 16], refused=2, last_refusal="invalid_signature")
        Feedback.objects.create(message="m")
        text = self.status("--check")
        for part in ("connected since", "protocol v2", "frames refused: 2", "accepts none of them", "waiting: 1 new_feedback"):
            self.assertIn(part, text)
        state = json.loads(self.status("--json"))
        self.assertTrue(state["connection"]["open"])
        self.assertEqual(state["waiting"]["new_feedback"]["count"], 1)
        for secret in (SETTINGS["HMAC_SECRET"], SETTINGS["JWT_SECRET"]):
            self.assertNotIn(secret, text + json.dumps(state))

    def test_prune(self):
        out = io.StringIO()
        call_command("feedback_bridge_prune", stdout=out)
        self.assertIn("settled: 0", out.getvalue())


@override_settings(FEEDBACK_BRIDGE=SETTINGS)
class AdminTests(TestCase):
    def setUp(self):
        user = get_user_model().objects.create_superuser("anna", "anna@shop.example", "a password of tests")
        user.first_name = "Анна"
        user.save()
        self.client.force_login(user)
        self.feedback = Feedback.objects.create(message="Не работает", category="bug")

    def change(self, **values):
        page = reverse("admin:feedback_bridge_feedback_change", args=[self.feedback.pk])
        inline = {f"replies-{name}": 0 for name in ("TOTAL_FORMS", "INITIAL_FORMS", "MIN_NUM_FORMS", "MAX_NUM_FORMS")}
        return self.client.post(page, {"status": "new", "answer": "", **inline, **values}, follow=True)

    def test_pages(self):
        self.feedback.attach("a.txt", b"a", "text/plain")
        self.feedback.attach("b.mp4", None, "video/mp4")
        self.feedback.add_reply("Ответ", files=[("c.txt", b"c", "text/plain")])
        session.open_generation("v2")
        for name in ("feedback", "outbox", "connection"):
            self.assertEqual(self.client.get(reverse(f"admin:feedback_bridge_{name}_changelist")).status_code, 200)
        page = self.client.get(reverse("admin:feedback_bridge_feedback_change", args=[self.feedback.pk])).content.decode()
        for part in ("Не работает", "Ответ", "a.txt", "b.mp4", "c.txt"):
            self.assertIn(part, page)
        self.assertEqual(self.client.get(reverse("admin:feedback_bridge_feedback_add")).status_code, 200)
        self.assertEqual(self.client.get(reverse("admin:index")).status_code, 200)
        outbox = Outbox.objects.first()
        self.assertEqual(self.client.get(reverse("admin:feedback_bridge_outbox_change", args=[outbox.pk])).status_code, 200)

    def test_status(self):
        self.assertEqual(self.change(status="read").status_code, 200)
        self.feedback.refresh_from_db()
        self.assertEqual(self.feedback.status, "read")
        event = Outbox.objects.get(type="feedback_status")
        self.assertEqual((event.data["status"], event.data["actor"]), ("read", {"name": "Анна"}))

    def test_answer(self):
        response = self.change(answer="Починили", answer_file=SimpleUploadedFile("a.png", b"\x89PNG", "image/png"))
        self.assertEqual(response.status_code, 200)
        reply = Reply.objects.get()
        self.assertEqual((reply.text, reply.sender, reply.author_name), ("Починили", "staff", "Анна"))
        self.assertEqual(bytes(Attachment.objects.get().content), b"\x89PNG")
        self.assertEqual(Outbox.objects.get(type="feedback_reply").reply, reply)
        self.assertFalse(Outbox.objects.filter(type="feedback_status").exists())

    def test_what_was_sent_does_not_change(self):
        self.change(message="другое")
        self.feedback.refresh_from_db()
        self.assertEqual(self.feedback.message, "Не работает")

    def test_actions(self):
        def act(name):
            self.client.post(reverse("admin:feedback_bridge_feedback_changelist"), {"action": name, "_selected_action": [self.feedback.pk]})

        act("mark_closed")
        self.feedback.refresh_from_db()
        self.assertEqual(self.feedback.status, "closed")
        act("send_again")
        self.assertEqual(Outbox.objects.filter(type="new_feedback").count(), 1)  # it waits already
        Outbox.objects.update(settled_at=times.to_db(times.now()))
        act("send_again")
        self.assertEqual(Outbox.objects.filter(type="new_feedback").count(), 2)

    def test_download(self):
        file = self.feedback.attach('"><script>.html', b"<script>", "text/html")
        response = self.client.get(reverse("admin:feedback_bridge_attachment", args=[file.pk]))
        self.assertEqual(response.content, b"<script>")
        self.assertEqual(response["X-Content-Type-Options"], "nosniff")
        self.assertTrue(response["Content-Disposition"].startswith("attachment;"))
        self.assertNotIn("<", response["Content-Disposition"])
        self.client.logout()
        self.assertEqual(self.client.get(reverse("admin:feedback_bridge_attachment", args=[file.pk])).status_code, 302)

    def test_serve(self):
        far = self.feedback.attach("far.png", url="https://shop.example/far.png")
        self.assertEqual(serve(far)["Location"], far.url)
        with self.assertRaises(Http404):
            serve(self.feedback.attach("gone.mp4"))
        strange = self.feedback.attach("x", b"x", "text/html\r\nSet-Cookie: a=b")
        self.assertEqual(serve(strange)["Content-Type"], "application/octet-stream")

    def test_what_may_be_attached(self):
        with self.assertRaises(ValueError):
            self.feedback.attach("x", url="http://shop.example/x")
        with override_settings(FEEDBACK_BRIDGE={**SETTINGS, "MAX_ATTACHMENT_BYTES": 3}), self.assertRaises(ValueError):
            self.feedback.attach("x", b"xxxx")
