{{- define "arguments" -}}
{{- range $name, $p := .Values.ports }}
- --entryPoints.{{ $name }}.address=:{{ $p.port }}/{{ lower $p.protocol }}
{{- range $list := list "forwardedHeaders" "proxyProtocol" }}
{{- with index $p $list }}
{{- with .trustedIPs }}
- --entryPoints.{{ $name }}.{{ $list }}.trustedIPs={{ join "," . }}
{{- end }}
{{- if .insecure }}
- --entryPoints.{{ $name }}.{{ $list }}.insecure
{{- end }}
{{- end }}
{{- end }}
{{- end }}
- --entryPoints.websecure.http.tls=true
{{- with .Values.ports.websecure.transport.respondingTimeouts.readTimeout }}
- --entryPoints.websecure.transport.respondingTimeouts.readTimeout={{ . }}
{{- end }}
- --global.checkNewVersion=false
- --api.dashboard=true
- --ping=true
- --metrics.prometheus=true
- --metrics.prometheus.entrypoint=metrics
- --log.level={{ upper .Values.logs.general.level }}
{{- if .Values.logs.access.enabled }}
- --accesslog=true
{{- end }}
{{- if .Values.providers.kubernetesCRD.enabled }}
- --providers.kubernetescrd
- --providers.kubernetescrd.allowEmptyServices=true
{{- end }}
{{- if .Values.providers.kubernetesIngress.enabled }}
- --providers.kubernetesingress
{{- end }}
{{- include "arguments.nginx" . }}
{{- range .Values.additionalArguments }}
- {{ . | quote }}
{{- end }}
{{- end }}

{{- define "arguments.nginx" }}
{{- $n := .Values.providers.kubernetesIngressNginx }}
{{- if $n.enabled }}
- --providers.kubernetesingressnginx
- --providers.kubernetesingressnginx.controllerclass={{ $n.controllerClass }}
- --providers.kubernetesingressnginx.ingressclass={{ $n.ingressClass }}
{{- if $n.ingressClassByName }}
- --providers.kubernetesingressnginx.ingressclassbyname=true
{{- end }}
{{- if $n.watchIngressWithoutClass }}
- --providers.kubernetesingressnginx.watchingresswithoutclass=true
{{- end }}
{{- if $n.publishService.enabled }}
- --providers.kubernetesingressnginx.publishservice={{ $n.publishService.pathOverride | default (printf "%s/%s" .Release.Namespace (include "fullname" .)) }}
{{- end }}
{{- with $n.publishStatusAddress }}
- --providers.kubernetesingressnginx.publishstatusaddress={{ . }}
{{- end }}
{{- end }}
{{- end }}
