{{- define "environment" -}}
{{- $secret := required "existingSecret is required: a Secret with rootUser and rootPassword" .Values.existingSecret }}
- {name: MINIO_ROOT_USER, valueFrom: {secretKeyRef: {name: {{ $secret }}, key: rootUser}}}
- {name: MINIO_ROOT_PASSWORD, valueFrom: {secretKeyRef: {name: {{ $secret }}, key: rootPassword}}}
{{- if .Values.metrics.serviceMonitor.public }}
- {name: MINIO_PROMETHEUS_AUTH_TYPE, value: public}
{{- end }}
{{- with .Values.oidc }}
{{- if .enabled }}
{{- range $name, $key := dict "ID" (list .clientId .existingClientIdKey) "SECRET" (list .clientSecret .existingClientSecretKey) }}
{{- if and $.Values.oidc.existingClientSecretName (last $key) }}
- {name: MINIO_IDENTITY_OPENID_CLIENT_{{ $name }}, valueFrom: {secretKeyRef: {name: {{ $.Values.oidc.existingClientSecretName }}, key: {{ last $key }}}}}
{{- else }}
- {name: MINIO_IDENTITY_OPENID_CLIENT_{{ $name }}, value: {{ first $key | quote }}}
{{- end }}
{{- end }}
{{- range $name, $value := dict "CONFIG_URL" .configUrl "CLAIM_NAME" .claimName "CLAIM_PREFIX" .claimPrefix "SCOPES" .scopes
    "COMMENT" .comment "REDIRECT_URI" .redirectUri "DISPLAY_NAME" .displayName }}
- {name: MINIO_IDENTITY_OPENID_{{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- end }}
{{- end }}
{{- range $name, $value := .Values.environment }}
- {name: {{ $name }}, value: {{ tpl (toString $value) $ | quote }}}
{{- end }}
{{- end }}

{{- /* pod takes a dict: root, and data, which is what the server stores in: a path, or the paths of all its peers. */ -}}
{{- define "pod" -}}
{{- $v := .root.Values -}}
metadata:
  labels: {{- include "selector" .root | nindent 4 }}
  {{- with $v.podLabels }}{{ toYaml . | nindent 4 }}{{ end }}
  annotations: {{- toYaml $v.podAnnotations | nindent 4 }}
spec:
  serviceAccountName: {{ $v.serviceAccount.name }}
  {{- if $v.securityContext.enabled }}
  securityContext: {{- omit $v.securityContext "enabled" | toYaml | nindent 4 }}
  {{- end }}
  imagePullSecrets: {{- toYaml $v.imagePullSecrets | nindent 4 }}
  nodeSelector: {{- toYaml $v.nodeSelector | nindent 4 }}
  tolerations: {{- toYaml $v.tolerations | nindent 4 }}
  affinity: {{- toYaml $v.affinity | nindent 4 }}
  priorityClassName: {{ $v.priorityClassName | quote }}
  containers:
    - name: minio
      image: {{ $v.image.repository }}:{{ $v.image.tag }}
      imagePullPolicy: {{ $v.image.pullPolicy }}
      command:
        - /bin/sh
        - -ce
        - /usr/bin/docker-entrypoint.sh minio server {{ .data }} -S /etc/minio/certs/ --address :9000 --console-address :9001 {{- range $v.extraArgs }} {{ . }}{{ end }}
      env: {{- include "environment" .root | nindent 8 }}
      ports: [{name: http, containerPort: 9000}, {name: http-console, containerPort: 9001}]
      resources: {{- toYaml $v.resources | nindent 8 }}
      securityContext: {{- toYaml $v.containerSecurityContext | nindent 8 }}
      volumeMounts:
        - {name: export, mountPath: {{ $v.mountPath }}}
        {{- if $v.trustedCertsSecret }}
        - {name: trusted-cert-secret-volume, mountPath: /etc/minio/certs/CAs}
        {{- end }}
  volumes:
    {{- with $v.trustedCertsSecret }}
    - {name: trusted-cert-secret-volume, secret: {secretName: {{ . }}}}
    {{- end }}
    {{- if not $v.persistence.enabled }}
    - {name: export, emptyDir: {}}
    {{- else if eq $v.mode "standalone" }}
    - {name: export, persistentVolumeClaim: {claimName: {{ $v.persistence.existingClaim | default (include "fullname" .root) }}}}
    {{- end }}
{{- end }}

{{- define "claim" -}}
accessModes: [{{ .accessMode }}]
{{- with .storageClass }}
storageClassName: {{ . | quote }}
{{- end }}
resources: {requests: {storage: {{ .size }}}}
{{- end }}
