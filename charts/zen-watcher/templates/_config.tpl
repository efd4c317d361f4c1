{{/* The daemon's configuration, and what of it the templates ask. */}}

{{/* Names of older charts; `hasEffect` false: accepted, and said in NOTES to be of no effect. */}}
{{- define "zen-watcher.eraKeys" -}}
watchNamespace: {path: events.namespace}
behaviorMode: {path: preset}
logLevel: {path: log.level}
metricsPort: {path: server.metricsPort}
clusterId: {path: events.cluster}
clusterID: {path: events.cluster}
falcoNamespace: {hasEffect: false}
trivyNamespace: {hasEffect: false}
kyvernoNamespace: {hasEffect: false}
kubeBenchNamespace: {configMaps: true}
kubebenchNamespace: {configMaps: true}
checkovNamespace: {configMaps: true}
autoDetectEnabled: {hasEffect: false}
watcherPort: {path: webhooks.port}
dedupWindow: {hasEffect: false}
falcoBufferSize: {hasEffect: false}
auditBufferSize: {hasEffect: false}
{{- end }}

{{- define "zen-watcher.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- range $key, $era := include "zen-watcher.eraKeys" . | fromYaml }}
  {{- $value := get $config $key }}
  {{- $_ := unset $config $key }}
  {{- if not (has $value (list nil "")) }}
    {{- if $era.path }}
      {{- $parts := splitList "." $era.path }}
      {{- if eq (len $parts) 1 }}
        {{- if not (hasKey $config $era.path) }}{{ $_ := set $config $era.path $value }}{{ end }}
      {{- else }}
        {{- $section := get $config (first $parts) | default dict }}
        {{- if not (hasKey $section (last $parts)) }}{{ $_ := set $section (last $parts) (has $key (list "metricsPort" "watcherPort") | ternary (int $value) $value) }}{{ end }}
        {{- $_ := set $config (first $parts) $section }}
      {{- end }}
    {{- else if $era.configMaps }}
      {{- $section := $config.configMaps | default dict }}
      {{- $_ := set $section "namespaces" (append ($section.namespaces | default list) $value | uniq) }}
      {{- $_ := set $config "configMaps" $section }}
    {{- end }}
  {{- end }}
{{- end }}
{{- $events := $config.events | default dict -}}
{{- if not $events.namespace }}{{ $_ := set $events "namespace" (include "zen-watcher.namespace" .) }}{{ end -}}
{{- if and .Values.global.clusterID (not $events.cluster) }}{{ $_ := set $events "cluster" .Values.global.clusterID }}{{ end -}}
{{- $_ := set $config "events" $events -}}
{{- if include "zen-watcher.hasStandby" . -}}
  {{- /* One Lease for the leader, one for each pod that there can be. */}}
  {{- $asked := $config.leaderElection | default dict }}
  {{- if not (dig "enabled" true $asked) }}{{ fail "config.leaderElection.enabled is false: without a leader there can be one pod only (replicaCount: 1, no autoscaling)" }}{{ end }}
  {{- $election := merge (dict "enabled" true) $asked (dict "replicas" (int (include "zen-watcher.mostPods" .))) }}
  {{- $_ := set $config "leaderElection" $election }}
{{- end -}}
{{- if or .Values.webhooks.tokens .Values.webhooks.tlsSecret -}}
  {{- $webhooks := $config.webhooks | default dict }}
  {{- $routes := $webhooks.routes | default dict }}
  {{- range $source, $secret := .Values.webhooks.tokens }}
    {{- $route := get $routes $source | default dict }}
    {{- $_ := set $route "tokenFiles" (append ($route.tokenFiles | default list) (printf "/etc/zen-watcher-webhooks/tokens/%s" $source)) }}
    {{- $_ := set $routes $source $route }}
  {{- end }}
  {{- $_ := set $webhooks "routes" $routes }}
  {{- if .Values.webhooks.tlsSecret }}
    {{- $tls := dict "certFile" "/etc/zen-watcher-webhooks/tls/tls.crt" "keyFile" "/etc/zen-watcher-webhooks/tls/tls.key" }}
    {{- if .Values.webhooks.clientCaSecret }}{{ $_ := set $tls "clientCaFile" "/etc/zen-watcher-webhooks/client-ca/ca.crt" }}{{ end }}
    {{- $_ := set $webhooks "tls" $tls }}
  {{- end }}
  {{- $_ := set $config "webhooks" $webhooks }}
{{- end -}}
{{ toYaml $config }}
{{- end }}

{{/* What the daemon takes in without a restart is not part of it. */}}
{{- define "zen-watcher.startConfig" -}}
{{ omit (include "zen-watcher.config" . | fromYaml) "preset" "thresholds" "filters" "mutes" "severityOverrides" | toJson }}
{{- end }}

{{- define "zen-watcher.metricsPort" -}}
{{ dig "server" "metricsPort" 8080 (include "zen-watcher.config" . | fromYaml) | int }}
{{- end }}

{{- define "zen-watcher.hasWebhooks" -}}
{{- if dig "webhooks" "routes" dict (include "zen-watcher.config" . | fromYaml) }}true{{ end }}
{{- end }}

{{- define "zen-watcher.webhookPort" -}}
{{ dig "webhooks" "port" 8081 (include "zen-watcher.config" . | fromYaml) | int }}
{{- end }}

{{- define "zen-watcher.eventsNamespace" -}}
{{ (include "zen-watcher.config" . | fromYaml).events.namespace }}
{{- end }}
