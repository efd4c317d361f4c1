{{/* Names, labels and what several templates ask. */}}

{{- define "zen-watcher.fullname" -}}
{{- if .Values.fullnameOverride }}{{ .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "zen-watcher.namespace" -}}
{{ .Values.namespaceOverride | default .Release.Namespace }}
{{- end }}

{{/* Two releases of one name in different namespaces share nothing that belongs to the whole cluster. */}}
{{- define "zen-watcher.clusterName" -}}
{{- $name := include "zen-watcher.fullname" . -}}
{{- $namespace := include "zen-watcher.namespace" . -}}
{{- if and (eq $name "zen-watcher") (eq $namespace "zen-system") }}{{ $name }}{{ else }}{{ printf "%s-%s" $namespace $name | trunc 63 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "zen-watcher.serviceAccount" -}}
{{- if .Values.serviceAccount.name }}{{ .Values.serviceAccount.name }}
{{- else if .Values.serviceAccount.create }}{{ include "zen-watcher.fullname" . }}
{{- else }}default{{ end }}
{{- end }}

{{- define "zen-watcher.selectorLabels" -}}
app: zen-watcher
app.kubernetes.io/name: zen-watcher
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "zen-watcher.labels" -}}
{{ include "zen-watcher.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Of an object in our namespace: (list $ NAME EXTRA-ANNOTATIONS). Without a namespace: zen-watcher.clusterMetadata. */}}
{{- define "zen-watcher.metadata" -}}
{{- $root := index . 0 -}}
name: {{ index . 1 }}
namespace: {{ include "zen-watcher.namespace" $root }}
{{ include "zen-watcher.marks" (list $root (index . 2)) }}
{{- end }}

{{- define "zen-watcher.clusterMetadata" -}}
name: {{ index . 1 }}
{{ include "zen-watcher.marks" (list (index . 0) (index . 2)) }}
{{- end }}

{{- define "zen-watcher.marks" -}}
{{- $root := index . 0 -}}
labels:
  {{- include "zen-watcher.labels" $root | nindent 2 }}
{{- with merge (dict) (index . 1) $root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "zen-watcher.repository" -}}
{{- with .Values.global.imageRegistry }}{{ trimSuffix "/" . }}/{{ end }}{{ .Values.image.repository }}
{{- end }}

{{- define "zen-watcher.image" -}}
{{- $repository := include "zen-watcher.repository" . -}}
{{- if .Values.image.digest }}{{ $repository }}@{{ .Values.image.digest }}{{ else }}{{ $repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{/* "true" where an answer of the cluster can be had: `helm template` and GitOps render without one. */}}
{{- define "zen-watcher.isLive" -}}
{{- if lookup "v1" "Namespace" "" "kube-system" }}true{{ end }}
{{- end }}

{{/* "true" where an object that a lookup gave is this release's: (list $ OBJECT). */}}
{{- define "zen-watcher.isOurs" -}}
{{- $root := index . 0 -}}
{{- $annotations := dig "metadata" "annotations" dict (index . 1) -}}
{{- if and (eq (get $annotations "meta.helm.sh/release-name") $root.Release.Name) (eq (get $annotations "meta.helm.sh/release-namespace") $root.Release.Namespace) }}true{{ end }}
{{- end }}

{{/* In so many parts the work is divided, each with a leader of its own. */}}
{{- define "zen-watcher.shards" -}}
{{ dig "leaderElection" "shards" 1 .Values.config | int }}
{{- end }}

{{/* The pods that are asked for: a shard each, at least. */}}
{{- define "zen-watcher.pods" -}}
{{ max (int .Values.replicaCount) (int (include "zen-watcher.shards" .)) }}
{{- end }}

{{/* The most pods there are at a time, one more during a rollout. */}}
{{- define "zen-watcher.mostPods" -}}
{{- if .Values.autoscaling.enabled }}{{ add1 (int .Values.autoscaling.maxReplicas) }}{{ else }}{{ add1 (int (include "zen-watcher.pods" .)) }}{{ end }}
{{- end }}

{{- define "zen-watcher.hasStandby" -}}
{{- if or (gt (int (include "zen-watcher.pods" .)) 1) .Values.autoscaling.enabled }}true{{ end }}
{{- end }}
