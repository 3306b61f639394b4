// Package chart_test holds the Helm chart and the Compose files to what they are written for:
// helm renders the one, and what it renders is decoded as Kubernetes would, and Compose's own
// loader reads the others.
package chart_test

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	strict "sigs.k8s.io/yaml"
)

const chart = "../../deploy/chart/granary"

// helm runs the program that the Makefile has built.
func helm(t *testing.T, args ...string) (string, error) {
	t.Helper()
	program := os.Getenv("HELM")
	if program == "" {
		t.Fatal("HELM names no helm: run make proof-release")
	}
	said, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput()
	return string(said), err
}

// values are flags that go well together; each is a name and --set flags.
func values() map[string][]string {
	cluster := []string{
		"mode=cluster", "settings.blobs=s3://packages?region=eu-central-1", "secret.name=granary",
		"secret.keys={database,encryption-key,s3-access-key-id,s3-secret-access-key}",
	}
	return map[string][]string{
		"single":           nil,
		"single, settings": {"settings.external-url=https://packages.example.com", "settings.records-every=30s", "settings.pages=false", "secret.name=granary", "secret.keys={encryption-key,root-token}"},
		"single, storage":  {"persistence.size=1Ti", "persistence.storageClass=fast", "image.tag=v1.2.3", "imagePullSecrets[0].name=pull"},
		"single, watched":  {"metrics.serviceMonitor=true", "networkPolicy.enabled=true", "networkPolicy.metricsFrom[0].namespaceSelector.matchLabels.name=monitoring"},
		"cluster":          cluster,
		"cluster, closed":  append(slices.Clone(cluster), "replicas=5", "networkPolicy.enabled=true", "networkPolicy.from[0].podSelector.matchLabels.app=ingress", "metrics.serviceMonitor=true"),
		"cluster, placed":  append(slices.Clone(cluster), "podDisruptionBudget=false", "nodeSelector.disk=ssd", "tolerations[0].operator=Exists", "podAnnotations.team=tools", "service.type=LoadBalancer"),
	}
}

func setFlags(sets []string) (flags []string) {
	for _, set := range sets {
		flags = append(flags, "--set", strings.ReplaceAll(set, ":", "\\:"))
	}
	return flags
}

func TestChart(t *testing.T) {
	for name, sets := range values() {
		t.Run(name, func(t *testing.T) {
			flags := setFlags(sets)
			if said, err := helm(t, append([]string{"lint", "--strict", chart}, flags...)...); err != nil {
				t.Fatalf("%v\n%s", err, said)
			}
			rendered, err := helm(t, append([]string{"template", "packages", chart}, flags...)...)
			if err != nil {
				t.Fatalf("%v\n%s", err, rendered)
			}
			kinds := decode(t, rendered)
			one := "StatefulSet"
			if strings.HasPrefix(name, "cluster") {
				one = "Deployment"
			}
			if !slices.Contains(kinds, one) || !slices.Contains(kinds, "Service") || slices.Contains(kinds, "StatefulSet") == slices.Contains(kinds, "Deployment") {
				t.Errorf("it has %q", kinds)
			}
			watched := slices.Contains(sets, "metrics.serviceMonitor=true")
			closed := slices.Contains(sets, "networkPolicy.enabled=true")
			budget := one == "Deployment" && !slices.Contains(sets, "podDisruptionBudget=false")
			for kind, want := range map[string]bool{"ServiceMonitor": watched, "NetworkPolicy": closed, "PodDisruptionBudget": budget} {
				if slices.Contains(kinds, kind) != want {
					t.Errorf("%s is there: %v, want %v", kind, !want, want)
				}
			}
		})
	}
}

// Settings are words, whatever YAML takes them for.
func TestChartNumbers(t *testing.T) {
	file := filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(file, []byte("settings: {cache-memory: 16777216, rate-limit-writes: 5, pages: false, scrub-rate: 8MiB}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	rendered, err := helm(t, "template", "packages", chart, "--values", file)
	if err != nil {
		t.Fatalf("%v\n%s", err, rendered)
	}
	for name, want := range map[string]string{"CACHE_MEMORY": "16777216", "RATE_LIMIT_WRITES": "5", "PAGES": "false", "SCRUB_RATE": "8MiB"} {
		if !strings.Contains(rendered, "{name: GRANARY_"+name+", value: \""+want+"\"}") {
			t.Errorf("%s is not %s", name, want)
		}
	}
	decode(t, rendered)
}

// decode decodes all objects as strictly as the API server can, and returns their kinds.
func decode(t *testing.T, rendered string) (kinds []string) {
	t.Helper()
	documents := yaml.NewDocumentDecoder(io.NopCloser(strings.NewReader(rendered)))
	for {
		text := make([]byte, 1<<20)
		n, err := documents.Read(text)
		if errors.Is(err, io.EOF) {
			return kinds
		}
		if err != nil {
			t.Fatal(err)
		}
		var head struct {
			Kind string `json:"kind"`
		}
		if err := strict.Unmarshal(text[:n], &head); err != nil {
			t.Fatal(err)
		}
		into := map[string]any{
			"StatefulSet": &appsv1.StatefulSet{}, "Deployment": &appsv1.Deployment{}, "Service": &corev1.Service{},
			"PodDisruptionBudget": &policyv1.PodDisruptionBudget{}, "NetworkPolicy": &networkingv1.NetworkPolicy{},
			"ServiceMonitor": &map[string]any{}, // its types are a project of their own
		}[head.Kind]
		if into == nil {
			t.Fatalf("the kind %q is not expected:\n%s", head.Kind, text[:n])
		}
		if err := strict.UnmarshalStrict(text[:n], into); err != nil {
			t.Errorf("%s: %v", head.Kind, err)
		}
		kinds = append(kinds, head.Kind)
	}
}

// TestChartRefuses: values that would make a server that does not start are refused, in words.
func TestChartRefuses(t *testing.T) {
	for want, sets := range map[string][]string{
		"settings.blobs is missing":                {"mode=cluster", "secret.name=s", "secret.keys={database,encryption-key}"},
		"wants database and encryption-key":        {"mode=cluster", "settings.blobs=s3://b?region=r", "secret.name=s", "secret.keys={database}"},
		"secret.name is missing":                   {"secret.keys={encryption-key}"},
		"mode":                                     {"mode=many"},
		"additional properties 'imge' not allowed": {"imge.tag=v1"},
		"listen": {"settings.listen=0.0.0.0:80"},
	} {
		if said, err := helm(t, append([]string{"template", "packages", chart}, setFlags(sets)...)...); err == nil || !strings.Contains(said, want) {
			t.Errorf("%q: %v, want %q in\n%.600s", sets, err, want, said)
		}
	}
}

// TestComposeFiles: Compose's loader reads them, with its schema.
func TestComposeFiles(t *testing.T) {
	for file, services := range map[string]int{"one-node.yaml": 1, "three-nodes.yaml": 7} {
		options, err := cli.NewProjectOptions([]string{filepath.Join("../../deploy/compose", file)}, cli.WithName("granary"), cli.WithEnv([]string{"S3_SECRET_ACCESS_KEY=secret"}))
		if err != nil {
			t.Fatal(err)
		}
		project, err := options.LoadProject(t.Context())
		if err != nil || len(project.Services) != services {
			t.Errorf("%s: %v, %v", file, project, err)
		}
	}
}
