{{/*
The ports that a mesh needs, and no others:
  istio          the sidecar fetches its configuration and certificates from istiod (15012); Prometheus scrapes the merged
                 metrics (15020) or Envoy's (15090)
  istio-ambient  traffic in and out of a pod is carried by ztunnel over HBONE (15008)
  linkerd        the proxy takes traffic in on 4143, serves metrics and probes on 4191, and asks the control plane for
                 identity (8080), destinations (8086) and policy (8090)
`scrape` opens for Prometheus, `inbound` for senders of webhooks.
*/}}
{{- define "zen-watcher.meshPorts" -}}
{{- $mesh := .Values.networkPolicy.mesh -}}
{{- if eq $mesh "istio" }}
scrape: [15020, 15090]
inbound: []
egress:
  - to:
      - namespaceSelector:
          matchLabels:
            kubernetes.io/metadata.name: istio-system
    ports:
      - {port: 15012, protocol: TCP}
{{- else if eq $mesh "istio-ambient" }}
scrape: [15008]
inbound: [15008]
egress:
  - ports:
      - {port: 15008, protocol: TCP}
{{- else if eq $mesh "linkerd" }}
scrape: [4143, 4191]
inbound: [4143]
egress:
  - to:
      - namespaceSelector:
          matchLabels:
            kubernetes.io/metadata.name: linkerd
    ports:
      - {port: 8080, protocol: TCP}
      - {port: 8086, protocol: TCP}
      - {port: 8090, protocol: TCP}
{{- else }}
scrape: []
inbound: []
egress: []
{{- end }}
{{- end }}
