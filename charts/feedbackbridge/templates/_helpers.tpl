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
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{/* The labels of everything. Each stands once, and those that others select by cannot be taken over. */}}
{{- define "feedbackbridge.labels" -}}
{{- $fixed := include "feedbackbridge.selectorLabels" . | fromYaml }}
{{- $fixed = set $fixed "app.kubernetes.io/managed-by" .Release.Service }}
{{- $usual := dict
  "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-")
  "app.kubernetes.io/version" .Chart.AppVersion
  "app.kubernetes.io/part-of" "feedbackbridge" }}
{{- toYaml (merge $fixed (.Values.commonLabels | default dict) $usual) }}
{{- end -}}

{{/* The same with more labels, which go before them: (dict "labels" LABELS "context" $). */}}
{{- define "feedbackbridge.labelsWith" -}}
{{- toYaml (merge (dict) (.labels | default dict) (include "feedbackbridge.labels" .context | fromYaml)) }}
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
{{- .Values.serviceAccount.name | required "serviceAccount.name: name the account that the operator runs by, for serviceAccount.create is false (rights for the namespace's default account would be every pod's)" -}}
{{- end -}}
{{- end -}}

{{/* Where a bridge of the values goes: (dict "bridge" BRIDGE "context" $). */}}
{{- define "feedbackbridge.bridgeNamespace" -}}
{{- .bridge.namespace | default .context.Release.Namespace -}}
{{- end -}}
