# SPDX-License-Identifier: Apache-2.0
from django.urls import path

from portal import views

urlpatterns = [path("feedback", views.feedback)]
