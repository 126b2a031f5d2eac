{{- define "name" -}}{{ .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" }}{{- end }}

{{- define "fullname" -}}
{{- $name := .Values.nameOverride | default .Chart.Name -}}
{{- $full := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) -}}
{{ .Values.fullnameOverride | default $full | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- /* The templates below take a dict: root, and part, which is the values of "web" or "api". */ -}}

{{- define "part.fullname" -}}{{ printf "%s-%s" (include "fullname" .root) .part.name | trunc 63 | trimSuffix "-" }}{{- end }}

{{- define "part.selector" -}}
app.kubernetes.io/name: {{ printf "%s-%s" (include "name" .root) .part.name | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end }}

{{- define "part.labels" -}}
helm.sh/chart: onyxia-{{ .part.name }}
{{ include "part.selector" . }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- end }}

{{- define "part.account" -}}
{{ .root.Values.serviceAccount.name | default (.root.Values.serviceAccount.create | ternary (include "part.fullname" .) "default") }}
{{- end }}
