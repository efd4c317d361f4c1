{{/* Who checks signatures: kyverno, sigstore or none. */}}
{{- define "zen-watcher.verifier" -}}
{{- $provider := .Values.imageVerification.provider -}}
{{- if ne $provider "auto" }}{{ $provider }}
{{- else if or (.Capabilities.APIVersions.Has "policies.kyverno.io/v1/ImageValidatingPolicy") (.Capabilities.APIVersions.Has "policies.kyverno.io/v1beta1/ImageValidatingPolicy") }}kyverno
{{- else if .Capabilities.APIVersions.Has "policy.sigstore.dev/v1beta1/ClusterImagePolicy" }}sigstore
{{- else }}none{{ end }}
{{- end }}

{{/* The public key; empty: keyless. */}}
{{- define "zen-watcher.cosignKey" -}}
{{ .Values.image.cosignPublicKey | default (.Files.Get "files/cosign.pub") | trim }}
{{- end }}
