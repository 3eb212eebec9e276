package deploy

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"
)

const chart = root + "/deploy/helm/sluice"

// release is what the chart makes of one set of values.
type release struct {
	set       *apps.StatefulSet
	config    *core.ConfigMap
	services  map[string]*core.Service
	network   *networking.NetworkPolicy
	budget    *policy.PodDisruptionBudget
	ingress   *networking.Ingress
	monitored *monitoring.ServiceMonitor
}

// helm runs helm, with settings of its own.
func helm(t *testing.T, args ...string) (string, error) {
	t.Helper()
	return run(t, nil, tool(t, "helm"), args...)
}

// render renders the chart, and takes every manifest as Kubernetes does where fields are
// validated strictly.
func render(t *testing.T, values ...string) release {
	t.Helper()
	args := []string{"template", "media", chart, "--kube-version", "1.34.0", "--api-versions", "monitoring.coreos.com/v1"}
	for _, v := range values {
		args = append(args, "-f", v)
	}
	out, err := helm(t, args...)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	r := release{services: make(map[string]*core.Service)}
	for document := range strings.SplitSeq(out, "\n---\n") {
		document = strings.TrimPrefix(document, "---\n")
		var what struct{ Kind string }
		if err := yaml.Unmarshal([]byte(document), &what); err != nil {
			t.Fatalf("%v in\n%s", err, document)
		}
		into := map[string]any{
			"StatefulSet": &r.set, "ConfigMap": &r.config, "NetworkPolicy": &r.network,
			"PodDisruptionBudget": &r.budget, "Ingress": &r.ingress, "ServiceMonitor": &r.monitored,
		}[what.Kind]
		if what.Kind == "Service" {
			into = new(core.Service)
		}
		if into == nil {
			t.Fatalf("an unknown kind %q in\n%s", what.Kind, document)
		}
		if err := yaml.UnmarshalStrict([]byte(document), into); err != nil {
			t.Errorf("%s: %v", what.Kind, err)
		}
		if s, ok := into.(*core.Service); ok {
			r.services[s.Name] = s
		}
	}
	return r
}

// TestChartLints: with and without values helm finds nothing to say.
func TestChartLints(t *testing.T) {
	for _, values := range []string{chart + "/values.yaml", "testdata/plain.yaml", "testdata/everything.yaml"} {
		if out, err := helm(t, "lint", "--strict", "--quiet", chart, "-f", values); err != nil {
			t.Errorf("%s: %v\n%s", values, err, out)
		}
	}
}

// TestChart: of several values every manifest is good, the program takes the configuration, and
// the pod is what it has to be.
func TestChart(t *testing.T) {
	for _, name := range []string{"plain", "everything"} {
		t.Run(name, func(t *testing.T) {
			r := render(t, "testdata/"+name+".yaml")
			raw := r.config.Data["sluice.yaml"]
			file := filepath.Join(t.TempDir(), "sluice.yaml")
			write(t, file, []byte(raw))
			c := effective(t, file, values(references(raw)))
			checkPod(t, r, c.StateDir, c.Limits.Drain)
			checkPorts(t, r, c.Listen)
			if again := render(t, "testdata/"+name+".yaml", other(t)); again.set.Spec.Template.Annotations["checksum/config"] == r.set.Spec.Template.Annotations["checksum/config"] {
				t.Error("another configuration does not start the pod anew")
			}
		})
	}
}

// other are values with another configuration.
func other(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "other.yaml")
	write(t, path, []byte("config: { log: { level: debug } }\n"))
	return path
}

func checkPod(t *testing.T, r release, state, drain string) {
	t.Helper()
	pod := r.set.Spec.Template.Spec
	main := pod.Containers[0]
	if *r.set.Spec.Replicas != 1 || len(pod.Containers) != 1 {
		t.Error("there is more than one owner of the state")
	}
	s := main.SecurityContext
	if !*pod.SecurityContext.RunAsNonRoot || *pod.AutomountServiceAccountToken || *s.AllowPrivilegeEscalation || !*s.ReadOnlyRootFilesystem ||
		len(s.Capabilities.Add) > 0 || !slices.Equal(s.Capabilities.Drop, []core.Capability{"ALL"}) || pod.SecurityContext.SeccompProfile.Type != core.SeccompProfileTypeRuntimeDefault {
		t.Errorf("the pod may do more than it must: %+v %+v", pod.SecurityContext, s)
	}
	claims := r.set.Spec.VolumeClaimTemplates
	if len(claims) != 1 || !slices.ContainsFunc(main.VolumeMounts, func(m core.VolumeMount) bool { return m.Name == claims[0].Name && m.MountPath == state }) {
		t.Errorf("%s is on no volume that stays", state)
	}
	limit, err := time.ParseDuration(drain)
	if err != nil {
		t.Fatal(err)
	}
	if main.Lifecycle != nil {
		limit += time.Duration(main.Lifecycle.PreStop.Sleep.Seconds) * time.Second
	}
	if grace := time.Duration(*pod.TerminationGracePeriodSeconds) * time.Second; grace <= limit {
		t.Errorf("it is killed after %v, and takes up to %v to end", grace, limit)
	}
	if len(main.EnvFrom) != 1 || main.EnvFrom[0].SecretRef.Name != "sluice-secrets" {
		t.Errorf("its environment is %v", main.EnvFrom)
	}
	for path, probe := range map[string]*core.Probe{"/livez": main.LivenessProbe, "/readyz": main.ReadinessProbe} {
		if probe.HTTPGet.Path != path || probe.HTTPGet.Port.String() != "admin" {
			t.Errorf("%s is asked by %v", path, probe)
		}
	}
	if r.budget.Spec.MaxUnavailable == nil {
		t.Error("the budget allows nothing and forbids nothing")
	}
}

// checkPorts follows each address of the configuration to where it can be reached: clients'
// by the service, the operators' by the node and by who is named alone.
func checkPorts(t *testing.T, r release, listen map[string]string) {
	t.Helper()
	clients, operators := r.services[r.set.Name], r.services[r.set.Spec.ServiceName]
	for name, address := range listen {
		if address == "" {
			continue
		}
		service := clients
		if name == "admin" {
			service = operators
		}
		if !slices.ContainsFunc(service.Spec.Ports, func(p core.ServicePort) bool { return p.TargetPort.String() == name }) {
			t.Errorf("%s is in no service", name)
		}
		if !slices.ContainsFunc(r.set.Spec.Template.Spec.Containers[0].Ports, func(p core.ContainerPort) bool {
			return p.Name == name && fmt.Sprint(":", p.ContainerPort) == address
		}) {
			t.Errorf("%s is listened on at %s, and is no such port of the container", name, address)
		}
	}
	for _, p := range clients.Spec.Ports {
		if listen[p.TargetPort.String()] == "" || p.TargetPort.String() == "admin" {
			t.Errorf("clients are led to %v", p)
		}
	}
	for _, rule := range r.network.Spec.Ingress {
		for _, p := range rule.Ports {
			if p.Port.String() == "admin" && len(rule.From) == 0 {
				t.Error("everybody may come to the operators' port")
			}
		}
	}
	if m := r.monitored; m != nil {
		for name, value := range m.Spec.Selector.MatchLabels {
			if operators.Labels[name] != value {
				t.Errorf("Prometheus looks for %s=%s among %v", name, value, operators.Labels)
			}
		}
	}
}

// TestChartRefuses: values that can not work are refused with the place, secrets in the open among
// them.
func TestChartRefuses(t *testing.T) {
	for values, want := range map[string]string{
		"config: {}":                                 "config: name stores, buckets and credentials",
		"config: { state_dir: /tmp }":                "/config/state_dir",
		"config: { listen: { http: ':80' } }":        "/config/listen",
		"config: { limits: { drain: 1h } }":          "/config/limits/drain",
		"replicas: 2":                                "replicas",
		"podDisruptionBudget: { maxUnavailable: 2 }": "/podDisruptionBudget/maxUnavailable",
		"ingress: { enabled: true }":                 "/ingress/hosts",
		"config: { stores: { minio: { secret_access_key: in-the-open } } }": "/config/stores/minio/secret_access_key",
	} {
		file := filepath.Join(t.TempDir(), "values.yaml")
		write(t, file, []byte(values))
		args := []string{"template", "media", chart, "-f", "testdata/plain.yaml", "-f", file}
		if strings.HasSuffix(values, "config: {}") {
			args = slices.Delete(args, 3, 5)
		}
		if out, err := helm(t, args...); err == nil || !strings.Contains(strings.ReplaceAll(out, ".", "/"), strings.ReplaceAll(want, ".", "/")) {
			t.Errorf("%s: %v, without %q in\n%s", values, err, want, out)
		}
	}
}

// TestChartNotes: what is said after an install names the pod that there is.
func TestChartNotes(t *testing.T) {
	out, err := helm(t, "install", "media", chart, "--dry-run=client", "-f", "testdata/everything.yaml")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	_, notes, _ := strings.Cut(out, "NOTES:")
	if !strings.Contains(notes, "exec media-gateway-0 -- sluice status") || !strings.Contains(notes, "up to\n300 s") {
		t.Errorf("it says\n%s", notes)
	}
	if strings.Contains(notes, "trusted_proxies") {
		t.Error("it warns of what is set")
	}
}
