{{/* Rights: from files/rbac.yaml, which is generated from the daemon's sources, by what the configuration says. */}}

{{- define "zen-watcher.rules" -}}
{{- range . }}
{{- with .why }}
# {{ . }}
{{- end }}
- {{ omit . "why" | toYaml | nindent 2 | trim }}
{{- end }}
{{- end }}

{{/* A role of ours and its binding: (dict "root" $ "namespace" NAMESPACE-OR-EMPTY "name" NAME "rules" RULES). */}}
{{- define "zen-watcher.role" -}}
{{- $kind := eq .namespace "" | ternary "ClusterRole" "Role" -}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $kind }}
metadata:
  name: {{ .name }}
  {{- with .namespace }}
  namespace: {{ . }}
  {{- end }}
  {{- include "zen-watcher.marks" (list .root dict) | nindent 2 }}
rules:
  {{- include "zen-watcher.rules" .rules | nindent 2 }}
{{ include "zen-watcher.binding" (dict "root" .root "namespace" .namespace "name" .name "kind" $kind) }}
{{- end }}

{{- define "zen-watcher.binding" -}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ .kind }}Binding
metadata:
  name: {{ .name }}
  {{- with .namespace }}
  namespace: {{ . }}
  {{- end }}
  {{- include "zen-watcher.marks" (list .root dict) | nindent 2 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ .kind }}
  name: {{ .name }}
subjects:
  - kind: ServiceAccount
    name: {{ include "zen-watcher.serviceAccount" .root }}
    namespace: {{ include "zen-watcher.namespace" .root }}
{{- end }}
