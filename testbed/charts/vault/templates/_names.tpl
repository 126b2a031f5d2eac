{{- define "fullname" -}}
{{- $full := contains .Chart.Name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name .Chart.Name) -}}
{{ .Values.fullnameOverride | default $full | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "instance" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "selector" -}}
{{ include "instance" . }}
component: server
{{- end }}

{{- define "labels" -}}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{ include "instance" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "account" -}}{{ .Values.server.serviceAccount.name | default (.Values.server.serviceAccount.create | ternary (include "fullname" .) "default") }}{{- end }}

{{- /* mode is dev, ha or standalone. ha here is a cluster on raft. */ -}}
{{- define "mode" -}}
{{- if ne (toString .Values.injector.enabled) "false" }}{{ fail "injector.enabled must be false: this stand-in has no injector" }}{{ end -}}
{{- if ne (toString .Values.csi.enabled) "false" }}{{ fail "csi.enabled must be false: this stand-in has no CSI provider" }}{{ end -}}
{{- if eq (toString .Values.server.dev.enabled) "true" -}}
dev
{{- else if eq (toString .Values.server.ha.enabled) "true" -}}
{{- if not .Values.server.ha.raft.enabled }}{{ fail "server.ha.raft.enabled must be true: this stand-in knows no other store for a cluster" }}{{ end -}}
ha
{{- else -}}
standalone
{{- end -}}
{{- end }}
