{{/* Labels every object of this chart carries; call with (dict "root" . "component" "api"). */}}
{{- define "jiyun.labels" -}}
{{ include "jiyun.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: jiyun
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{- define "jiyun.selector" -}}
app.kubernetes.io/name: jiyun-{{ .component }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end }}

{{/* An image of Jiyun's own; call with (dict "root" . "image" .Values.api.image). */}}
{{- define "jiyun.image" -}}
{{- /* Values kept from an older chart know no `images`. */ -}}
{{- $tag := .image.tag | default (.root.Values.images).tag | default .root.Chart.AppVersion -}}
{{- with (.root.Values.images).registry }}{{ trimSuffix "/" . }}/{{ end -}}
{{ .image.repository }}:{{ $tag }}
{{- end }}

{{/* The user name of the controller's ServiceAccount, as admission policies see it. */}}
{{- define "jiyun.controllerUser" -}}
system:serviceaccount:{{ .Release.Namespace }}:jiyun-controller
{{- end }}

{{/* Container settings of Pod Security level "restricted". */}}
{{- define "jiyun.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "jiyun.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- /* The claim of the audit trail's volume. */}}
{{- define "jiyun.trailClaim" -}}
{{ .Values.trail.existingClaim | default "jiyun-trail" }}
{{- end }}
