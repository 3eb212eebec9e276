{{- define "sluice.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "sluice.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "sluice.labels" -}}
{{ include "sluice.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{/* "true" where Sluice itself speaks TLS. */}}
{{- define "sluice.tls" -}}
{{- if ne (dig "tls" "mode" "off" .Values.config) "off" }}true{{ end -}}
{{- end -}}

{{/* sluice.yaml: the values' config, and what is the chart's to say. */}}
{{- define "sluice.config" -}}
{{- $listen := dict "http" ":9000" "admin" ":9180" -}}
{{- if include "sluice.tls" . }}{{ $_ := set $listen "https" ":9443" }}{{ end -}}
{{- $own := dict "state_dir" "/var/lib/sluice" "listen" $listen "limits" (dict "drain" (printf "%ds" (int .Values.drainSeconds))) -}}
{{- $needed := required "config: name stores, buckets and credentials, as in values.yaml" (and .Values.config.stores .Values.config.buckets .Values.config.credentials) -}}
{{- mustMergeOverwrite (deepCopy .Values.config) $own | toYaml -}}
{{- end -}}
