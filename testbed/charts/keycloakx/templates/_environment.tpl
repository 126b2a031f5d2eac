{{- define "environment" -}}
{{- $v := .Values }}
- {name: KC_HTTP_RELATIVE_PATH, value: {{ tpl $v.http.relativePath . | quote }}}
{{- if eq $v.cache.stack "default" }}
- {name: KC_CACHE, value: ispn}
- {name: KC_CACHE_STACK, value: jdbc-ping}
{{- end }}
{{- if $v.proxy.enabled }}
- {name: KC_PROXY_HEADERS, value: {{ $v.proxy.mode }}}
{{- end }}
{{- if $v.proxy.http.enabled }}
- {name: KC_HTTP_ENABLED, value: "true"}
{{- end }}
{{- range $name, $value := dict "KC_DB" $v.database.vendor "KC_DB_URL_HOST" $v.database.hostname "KC_DB_URL_PORT" $v.database.port
    "KC_DB_URL_DATABASE" $v.database.database "KC_DB_USERNAME" $v.database.username }}
{{- with $value }}
- {name: {{ $name }}, value: {{ tpl (toString .) $ | quote }}}
{{- end }}
{{- end }}
{{- with $v.database.existingSecret }}
- {name: KC_DB_PASSWORD, valueFrom: {secretKeyRef: {name: {{ . }}, key: {{ $v.database.existingSecretKey | default "password" }}}}}
{{- end }}
{{- if $v.metrics.enabled }}
- {name: KC_METRICS_ENABLED, value: "true"}
{{- end }}
{{- if $v.health.enabled }}
- {name: KC_HEALTH_ENABLED, value: "true"}
{{- end }}
{{- tpl $v.extraEnv . | nindent 0 }}
{{- end }}
