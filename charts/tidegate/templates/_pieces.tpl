{{- /* The part of the image that names it: by digest, or by tag, or by the chart's own version. */ -}}
{{- define "tidegate.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}{{ .repository }}@{{ .digest }}{{- else -}}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{- end -}}
{{- end -}}
{{- end -}}

{{- define "tidegate.selector" -}}
{app.kubernetes.io/name: tidegate, app.kubernetes.io/component: operator}
{{- end -}}

{{- define "tidegate.labels" -}}
{app.kubernetes.io/name: tidegate, app.kubernetes.io/part-of: tidegate}
{{- end -}}

{{- define "tidegate.subject" -}}
{kind: ServiceAccount, name: tidegate, namespace: {{ .Release.Namespace }}}
{{- end -}}

{{- /* What belongs to no namespace has one name in the cluster; of two installations each needs its own binding. */ -}}
{{- define "tidegate.admission" -}}
tidegate-admission{{ if .Values.watchNamespaces }}-{{ .Release.Namespace }}{{ end }}
{{- end -}}
