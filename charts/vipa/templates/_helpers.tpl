{{/* Labels of every object. */}}
{{- define "vipa.labels" -}}
app.kubernetes.io/part-of: vipa
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "vipa.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ $image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{/* What every container has that needs nothing of the machine. */}}
{{- define "vipa.container" -}}
image: {{ include "vipa.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- end }}

{{- define "vipa.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- end }}

{{- define "vipa.unprivileged" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
readOnlyRootFilesystem: true
allowPrivilegeEscalation: false
capabilities: {drop: [ALL]}
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* The Secret with the heartbeat keys. */}}
{{- define "vipa.keySecret" -}}
{{- .Values.heartbeatKey.existingSecret | default "vipa-heartbeat-key" -}}
{{- end }}

{{/* The name under which an object that is made anew with each version can be applied beside the one before. */}}
{{- define "vipa.versionName" -}}
{{- .Chart.Version | replace "." "-" | replace "+" "-" | lower -}}
{{- end }}

{{/*
The entry "key" of the Secret: a line ID:SECRET for each id of heartbeatKey.ids. What the cluster has stays, so an
upgrade changes nothing; an id that is new gets a new secret. Refused is what would leave agents apart while the
upgrade rolls: a signing key that not every agent knows yet, and to forget the one that signs now.
*/}}
{{- define "vipa.keys" -}}
{{- $ids := .Values.heartbeatKey.ids -}}
{{- $known := dict -}}
{{- $signing := "" -}}
{{- $secret := lookup "v1" "Secret" .Release.Namespace (include "vipa.keySecret" .) -}}
{{- if $secret -}}
{{- range splitList "\n" (get ($secret.data | default dict) "key" | b64dec) -}}
{{- $line := trim . -}}
{{- $id := (splitn ":" 2 $line)._0 -}}
{{- if and $line (not (hasPrefix "#" $line)) -}}
{{- if eq $id $line -}}
{{- fail (printf "Secret %s has a key without an id: write ID:SECRET, or name the Secret in heartbeatKey.existingSecret" (include "vipa.keySecret" $)) -}}
{{- end -}}
{{- $_ := set $known $id $line -}}
{{- $signing = $signing | default $id -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and $known (not (hasKey $known (first $ids))) -}}
{{- fail (printf "heartbeatKey.ids: %q cannot sign yet, as no agent knows it: upgrade with it in the last place first (%s,%s)" (first $ids) $signing (first $ids)) -}}
{{- end -}}
{{- if and $known (not (has $signing $ids)) -}}
{{- fail (printf "heartbeatKey.ids: %q signs now and cannot go yet: upgrade with it in the last place first (%s,%s)" $signing (first $ids) $signing) -}}
{{- end -}}
{{- range $ids -}}
{{ get $known . | default (printf "%s:%s" . (randBytes 32 | b64dec | sha256sum)) }}
{{ end -}}
{{- end }}
