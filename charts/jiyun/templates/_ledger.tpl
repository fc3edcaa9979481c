{{/* Where the ledger's etcd is reached: every member of the chart's own, or the endpoints that are given. */}}
{{- define "jiyun.ledgerEndpoints" -}}
{{- if .Values.ledger.endpoints -}}
{{ join "," .Values.ledger.endpoints }}
{{- else -}}
{{- $members := list -}}
{{- range $member := until (int .Values.ledger.etcd.replicas) -}}
{{- $members = append $members (printf "https://jiyun-ledger-%d.jiyun-ledger-members.%s.svc:2379" $member $.Release.Namespace) -}}
{{- end -}}
{{ join "," $members }}
{{- end -}}
{{- end }}

{{/* How `jiyun-controller` and its commands reach the ledger, by the certificate that is mounted at /etc/jiyun/ledger. */}}
{{- define "jiyun.ledgerEnv" -}}
- {name: JIYUN_LEDGER_ENDPOINTS, value: {{ include "jiyun.ledgerEndpoints" . | quote }}}
- {name: JIYUN_LEDGER_CA, value: /etc/jiyun/ledger/ca.crt}
- {name: JIYUN_LEDGER_CERT, value: /etc/jiyun/ledger/tls.crt}
- {name: JIYUN_LEDGER_KEY, value: /etc/jiyun/ledger/tls.key}
{{- end }}

{{/* Whether the chart runs the ledger's etcd itself. */}}
{{- define "jiyun.ownLedger" -}}
{{- if not .Values.ledger.endpoints }}true{{ end -}}
{{- end }}

{{/* A key pair signed by an authority, as the data of a Secret: the one that is there, or a new one.
     Call with (dict "root" . "authority" $ca "secret" NAME "name" COMMON-NAME "hosts" LIST "addresses" LIST). */}}
{{- define "jiyun.keyPair" -}}
{{- $there := lookup "v1" "Secret" .root.Release.Namespace .secret -}}
{{- if $there -}}
ca.crt: {{ index $there.data "ca.crt" }}
tls.crt: {{ index $there.data "tls.crt" }}
tls.key: {{ index $there.data "tls.key" }}
{{- else -}}
{{- $made := genSignedCert .name .addresses .hosts 3650 .authority -}}
ca.crt: {{ .authority.Cert | b64enc }}
tls.crt: {{ $made.Cert | b64enc }}
tls.key: {{ $made.Key | b64enc }}
{{- end -}}
{{- end }}

{{/* Spreads the pods of a component over nodes and zones, as far as there are some. */}}
{{- define "jiyun.spread" -}}
{{- range $key := list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
- maxSkew: 1
  topologyKey: {{ $key }}
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels: {{- include "jiyun.selector" $ | nindent 6 }}
{{- end }}
{{- end }}
