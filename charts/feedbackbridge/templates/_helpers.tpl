{{/* The name that everything is called by. */}}
{{- define "feedbackbridge.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* The name of the operator and of what belongs to it. */}}
{{- define "feedbackbridge.operator" -}}
{{- include "feedbackbridge.fullname" . }}-operator
{{- end -}}

{{/* What selects the operator's pods; it cannot change once it is installed. */}}
{{- define "feedbackbridge.selectorLabels" -}}
app.kubernetes.io/name: feedbackbridge-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "feedbackbridge.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "feedbackbridge.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: feedbackbridge
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* An image's reference: (dict "image" IMAGE "context" $). */}}
{{- define "feedbackbridge.image" -}}
{{- if .image.digest -}}
{{- printf "%s@%s" .image.repository .image.digest -}}
{{- else -}}
{{- printf "%s:%s" .image.repository (.image.tag | default .context.Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{- define "feedbackbridge.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "feedbackbridge.operator" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{/* Where a bridge of the values goes: (dict "bridge" BRIDGE "context" $). */}}
{{- define "feedbackbridge.bridgeNamespace" -}}
{{- .bridge.namespace | default .context.Release.Namespace -}}
{{- end -}}
