{{- define "environment" -}}
{{- $mode := include "mode" . }}
{{- range $name, $field := dict "HOST_IP" "status.hostIP" "POD_IP" "status.podIP" "VAULT_K8S_POD_NAME" "metadata.name"
    "VAULT_K8S_NAMESPACE" "metadata.namespace" "HOSTNAME" "metadata.name" }}
- {name: {{ $name }}, valueFrom: {fieldRef: {fieldPath: {{ $field }}}}}
{{- end }}
{{- if and (eq $mode "ha") .Values.server.ha.raft.setNodeId }}
- {name: VAULT_RAFT_NODE_ID, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
{{- end }}
- {name: VAULT_ADDR, value: "http://127.0.0.1:8200"}
- {name: VAULT_API_ADDR, value: {{ .Values.server.ha.apiAddr | default "http://$(POD_IP):8200" | quote }}}
- {name: VAULT_CLUSTER_ADDR, value: {{ .Values.server.ha.clusterAddr | default (printf "https://$(HOSTNAME).%s-internal:8201" (include "fullname" .)) | quote }}}
- {name: SKIP_CHOWN, value: "true"}
- {name: SKIP_SETCAP, value: "true"}
- {name: HOME, value: /home/vault}
{{- if eq $mode "dev" }}
- {name: VAULT_DEV_ROOT_TOKEN_ID, value: {{ .Values.server.dev.devRootToken }}}
- {name: VAULT_DEV_LISTEN_ADDRESS, value: "[::]:8200"}
{{- end }}
{{- with .Values.server.logLevel }}
- {name: VAULT_LOG_LEVEL, value: {{ . }}}
{{- end }}
{{- with .Values.server.logFormat }}
- {name: VAULT_LOG_FORMAT, value: {{ . }}}
{{- end }}
{{- range $name, $value := .Values.server.extraEnvironmentVars }}
- {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- range .Values.server.extraSecretEnvironmentVars }}
- {name: {{ .envName }}, valueFrom: {secretKeyRef: {name: {{ .secretName }}, key: {{ .secretKey }}}}}
{{- end }}
{{- end }}

{{- /* The configuration may hold HOST_IP, POD_IP and HOSTNAME, which each pod replaces by its own. */ -}}
{{- define "start" -}}
{{- if eq (include "mode" .) "dev" -}}
exec /usr/local/bin/docker-entrypoint.sh vault server -dev {{ .Values.server.extraArgs }}
{{- else -}}
sed -e "s|HOST_IP|$HOST_IP|g; s|POD_IP|$POD_IP|g; s|HOSTNAME|$HOSTNAME|g" /vault/config/extraconfig-from-values.hcl >/tmp/storageconfig.hcl
/usr/local/bin/docker-entrypoint.sh vault server -config=/tmp/storageconfig.hcl {{ .Values.server.extraArgs }}
{{- end -}}
{{- end }}

{{- define "claim" -}}
- apiVersion: v1
  kind: PersistentVolumeClaim
  metadata: {name: {{ .name }}, annotations: {{ toJson .storage.annotations }}, labels: {{ toJson .storage.labels }}}
  spec:
    accessModes: [{{ .storage.accessMode }}]
    {{- with .storage.storageClass }}
    storageClassName: {{ . }}
    {{- end }}
    resources: {requests: {storage: {{ .storage.size }}}}
{{- end }}
