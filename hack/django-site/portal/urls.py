# SPDX-License-Identifier: Apache-2.0
from django.contrib import admin
from django.urls import include, path

from . import views

urlpatterns = [
    path("", views.write, name="write"),
    path("mine", views.mine, name="mine"),
    path("mine/<int:number>/add", views.add, name="add"),
    path("files/<int:number>", views.download, name="file"),
    path("i18n/", include("django.conf.urls.i18n")),
    path("admin/", admin.site.urls),
]
