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
{{- if not .Values.global.checkNewVersion }}
- --global.checkNewVersion=false
{{- end }}
- --api.dashboard=true
- --ping=true
- --metrics.prometheus=true
- --metrics.prometheus.entrypoint=metrics
- --log.level={{ upper .Values.log.level }}
{{- if .Values.core.strictTLSOptions }}
- --core.strictTLSOptions=true
{{- end }}
{{- if .Values.accessLog.enabled }}
- --accesslog=true
{{- end }}
{{- if .Values.providers.kubernetesCRD.enabled }}
- --providers.kubernetescrd
- --providers.kubernetescrd.allowEmptyServices=true
{{- with .Values.providers.kubernetesCRD.defaultTLSResourcesNamespace }}
- --providers.kubernetescrd.defaultTLSResourcesNamespace={{ . }}
{{- end }}
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
{{- $n := .Values.providers.kubernetesIngressNGINX }}
{{- if $n.enabled }}
- --providers.kubernetesingressnginx
- --providers.kubernetesingressnginx.controllerClass={{ $n.controllerClass }}
- --providers.kubernetesingressnginx.disableSvcExternalName=false
- --providers.kubernetesingressnginx.httpEntryPoint=web
- --providers.kubernetesingressnginx.httpsEntryPoint=websecure
- --providers.kubernetesingressnginx.ingressClass={{ $n.ingressClass }}
- --providers.kubernetesingressnginx.ingressClassByName={{ $n.ingressClassByName }}
- --providers.kubernetesingressnginx.watchIngressWithoutClass={{ $n.watchIngressWithoutClass }}
{{- if $n.publishService.enabled }}
- --providers.kubernetesingressnginx.publishService={{ $n.publishService.pathOverride | default (printf "%s/%s" .Release.Namespace (include "fullname" .)) }}
{{- end }}
{{- with $n.publishStatusAddress }}
- --providers.kubernetesingressnginx.publishStatusAddress={{ . }}
{{- end }}
{{- end }}
{{- end }}
