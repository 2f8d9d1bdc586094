# SPDX-License-Identifier: Apache-2.0
from django import forms

from .texts import texts

LARGEST_FILE = 500_000  # bytes; a larger one would not fit into a frame, and only its name would arrive


class FeedbackForm(forms.Form):
    nickname = forms.CharField(max_length=64, required=False)
    category = forms.ChoiceField()
    message = forms.CharField(min_length=10, max_length=2000, widget=forms.Textarea(attrs={"rows": 7}))
    file = forms.FileField(required=False, allow_empty_file=True)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        words = texts()
        self.fields["category"].choices = list(words["categories"].items())
        for name, field in self.fields.items():
            field.label = words[name]
            field.help_text = words.get(name + "_help", "")
            described = []
            if field.help_text:
                described.append("id_%s_help" % name)
            if self.is_bound and name in self.errors:
                described.append("id_%s_error" % name)
                field.widget.attrs["aria-invalid"] = "true"
            if described:
                field.widget.attrs["aria-describedby"] = " ".join(described)

    def clean_file(self):
        file = self.cleaned_data["file"]
        if file and file.size > LARGEST_FILE:
            raise forms.ValidationError(texts()["file_large"])
        return file
