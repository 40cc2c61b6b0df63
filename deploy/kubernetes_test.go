package deploy

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/yaml"

	"brine/config"
)

// manifests are the objects of a text, as an API server reads them: a field that there is not, or twice, is an error.
func manifests(text string) (all []runtime.Object, err error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{apps.AddToScheme, core.AddToScheme, networking.AddToScheme, policy.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	decoder := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
	documents := yaml.NewDocumentDecoder(io.NopCloser(strings.NewReader(text)))
	defer documents.Close()
	buffer := make([]byte, 1<<20)
	for {
		n, err := documents.Read(buffer)
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		object, _, err := decoder.Decode(buffer[:n], nil, nil)
		if err != nil {
			return all, err
		}
		all = append(all, object)
	}
}

// cluster is what the manifests ask a cluster for.
type cluster struct {
	pods     map[string]core.PodTemplateSpec // by component
	services []*core.Service
	budgets  []*policy.PodDisruptionBudget
	policies []*networking.NetworkPolicy
	configs  map[string]string // brine.yaml, by name
	store    *apps.StatefulSet
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	files, err := filepath.Glob("kubernetes/*.yaml")
	if err != nil || len(files) < 5 {
		t.Fatal(files, err)
	}
	c := &cluster{pods: map[string]core.PodTemplateSpec{}, configs: map[string]string{}}
	for _, file := range files {
		objects, err := manifests(mustRead(t, file))
		if err != nil || len(objects) == 0 {
			t.Fatalf("%s: %v", file, err)
		}
		for _, object := range objects {
			c.add(t, object)
		}
	}
	return c
}

func (c *cluster) add(t *testing.T, object runtime.Object) {
	t.Helper()
	var namespace string
	switch o := object.(type) {
	case *core.Namespace:
		namespace = o.Name
	case *apps.Deployment:
		namespace = o.Namespace
		c.addPods(t, o.Spec.Selector.MatchLabels, o.Spec.Template)
	case *apps.StatefulSet:
		namespace, c.store = o.Namespace, o
		c.addPods(t, o.Spec.Selector.MatchLabels, o.Spec.Template)
	case *core.Service:
		namespace, c.services = o.Namespace, append(c.services, o)
	case *policy.PodDisruptionBudget:
		namespace, c.budgets = o.Namespace, append(c.budgets, o)
	case *networking.NetworkPolicy:
		namespace, c.policies = o.Namespace, append(c.policies, o)
	case *core.ConfigMap:
		namespace, c.configs[o.Name] = o.Namespace, o.Data["brine.yaml"]
	default:
		t.Errorf("an object of another kind: %T", o)
	}
	if namespace != "brine" {
		t.Errorf("%T is in the namespace %q", object, namespace)
	}
}

func (c *cluster) addPods(t *testing.T, selector map[string]string, pods core.PodTemplateSpec) {
	t.Helper()
	if !labels.SelectorFromSet(selector).Matches(labels.Set(pods.Labels)) {
		t.Errorf("%v does not select %v", selector, pods.Labels)
	}
	c.pods[pods.Labels["app.kubernetes.io/component"]] = pods
}

// A manifest with a mistake is found out: an unknown field, one of another type, one that comes twice.
func TestManifestMistakes(t *testing.T) {
	text := mustRead(t, "kubernetes/collect.yaml")
	for old, wrong := range map[string]string{"replicas: 3": "replica: 3", "replicas: 3\n": "replicas: three\n", "memory: 256Mi": "memory: lots",
		"readOnlyRootFilesystem: true": "readOnlyRootFileSystem: true", "  replicas: 3": "  replicas: 3\n  replicas: 4", "kind: Deployment": "kind: Deploymint"} {
		if !strings.Contains(text, old) {
			t.Fatalf("no %s", old)
		}
		if _, err := manifests(strings.Replace(text, old, wrong, 1)); err == nil {
			t.Errorf("%q is taken", wrong)
		}
	}
}

// Each container is shut, what a pod mounts it has, and a probe asks a port and a path that there are.
func TestPods(t *testing.T) {
	c := newCluster(t)
	if len(c.pods) != 2 || c.store == nil || c.store.Spec.ServiceName != "brine-store" {
		t.Fatalf("%d kinds of pods", len(c.pods))
	}
	uids := map[int64]bool{}
	for role, pods := range c.pods {
		spec := pods.Spec
		if s := spec.SecurityContext; s == nil || !*s.RunAsNonRoot || *s.RunAsUser == 0 || uids[*s.RunAsUser] || s.SeccompProfile.Type != core.SeccompProfileTypeRuntimeDefault || *s.FSGroupChangePolicy != core.FSGroupChangeOnRootMismatch {
			t.Errorf("%s: the pod is not shut, or its user is another's", role)
		} else {
			uids[*s.RunAsUser] = true
		}
		if *spec.AutomountServiceAccountToken {
			t.Errorf("%s: the pod has a token of the cluster", role)
		}
		volumes := map[string]bool{}
		for _, v := range spec.Volumes {
			volumes[v.Name] = true
		}
		if role == "store" {
			for _, claim := range c.store.Spec.VolumeClaimTemplates {
				volumes[claim.Name] = true
			}
		}
		for _, container := range slices.Concat(spec.InitContainers, spec.Containers) {
			checkContainer(t, role, container, volumes)
		}
		brine := spec.Containers[0]
		if want := []string{"/usr/bin/brine", role, "--config", "/etc/brine/brine.yaml"}; !slices.Equal(brine.Command, want) {
			t.Errorf("%s runs %v", role, brine.Command)
		}
		checkProbes(t, brine)
	}
}

func checkContainer(t *testing.T, role string, container core.Container, volumes map[string]bool) {
	t.Helper()
	if s := container.SecurityContext; s == nil || *s.AllowPrivilegeEscalation || !*s.ReadOnlyRootFilesystem || !slices.Equal(s.Capabilities.Drop, []core.Capability{"ALL"}) || len(s.Capabilities.Add) > 0 {
		t.Errorf("%s: the container %s is not shut", role, container.Name)
	}
	if container.Resources.Limits.Memory().IsZero() || container.Resources.Requests.Cpu().IsZero() {
		t.Errorf("%s: the container %s has no limit of memory, or asks for no CPU", role, container.Name)
	}
	for _, mount := range container.VolumeMounts {
		if !volumes[mount.Name] {
			t.Errorf("%s: the container %s mounts %s, which the pod lacks", role, container.Name, mount.Name)
		}
	}
	for _, e := range container.Env {
		t.Errorf("%s: the container %s has %s in its environment, where others read it", role, container.Name, e.Name)
	}
}

func checkProbes(t *testing.T, brine core.Container) {
	t.Helper()
	ports := portsOf(brine)
	for _, probe := range []*core.Probe{brine.ReadinessProbe, brine.LivenessProbe} {
		if probe == nil {
			t.Errorf("%v has not both probes", brine.Command)
			continue
		}
		switch {
		case probe.HTTPGet != nil:
			if ports[probe.HTTPGet.Port.StrVal] == 0 || !slices.Contains([]string{"/__heartbeat__", "/__lbheartbeat__"}, probe.HTTPGet.Path) {
				t.Errorf("a probe asks %v", probe.HTTPGet)
			}
		case probe.TCPSocket != nil:
			if ports[probe.TCPSocket.Port.StrVal] == 0 {
				t.Errorf("a probe asks %v", probe.TCPSocket)
			}
		case probe.Exec == nil || probe.Exec.Command[1] != "status":
			t.Errorf("a probe is %v", probe)
		}
	}
}

func portsOf(container core.Container) map[string]int32 {
	all := map[string]int32{}
	for _, p := range container.Ports {
		all[p.Name] = p.ContainerPort
	}
	return all
}

// Services and budgets select pods that there are, by ports that those have, and the config listens on the same.
func TestServices(t *testing.T) {
	c := newCluster(t)
	headless := 0
	for _, s := range c.services {
		pods := c.selected(t, s.Spec.Selector)
		for _, p := range s.Spec.Ports {
			if portsOf(pods.Spec.Containers[0])[p.TargetPort.StrVal] == 0 {
				t.Errorf("the service %s leads to the port %s, which its pods have not", s.Name, p.TargetPort.String())
			}
		}
		if s.Spec.ClusterIP == core.ClusterIPNone {
			headless++
		}
	}
	if headless != 1 || len(c.budgets) != 2 {
		t.Errorf("%d headless services, %d budgets", headless, len(c.budgets))
	}
	for _, b := range c.budgets {
		c.selected(t, b.Spec.Selector.MatchLabels)
	}
	for role, pods := range c.pods {
		for name, port := range portsOf(pods.Spec.Containers[0]) {
			if !strings.Contains(c.configs["brine-"+role], ":"+strconv.Itoa(int(port))) {
				t.Errorf("the config of %s does not listen on %d, its port %s", role, port, name)
			}
		}
	}
}

func (c *cluster) selected(t *testing.T, selector map[string]string) (pods core.PodTemplateSpec) {
	t.Helper()
	for _, p := range c.pods {
		if labels.SelectorFromSet(selector).Matches(labels.Set(p.Labels)) {
			return p
		}
	}
	t.Errorf("%v selects no pods", selector)
	return pods
}

// peer is a pod that asks or is asked: of Brine, or of another namespace.
type peer struct {
	namespace string
	labels    labels.Set
}

// The policies let a collector reach the receipt door and names, let nobody else reach that door, and let the public reach the public door alone.
func TestNetworkPolicies(t *testing.T) {
	c := newCluster(t)
	collect, store := peer{"brine", c.pods["collect"].Labels}, peer{"brine", c.pods["store"].Labels}
	ingress, prometheus, stranger := peer{"ingress-nginx", nil}, peer{"monitoring", nil}, peer{"default", nil}
	dns := peer{"kube-system", labels.Set{"k8s-app": "kube-dns"}}
	other := peer{"brine", labels.Set{"app.kubernetes.io/name": "another"}}
	for _, test := range []struct {
		from, to peer
		port     string
		want     bool
	}{
		{collect, store, "receipt", true}, {collect, dns, "53", true}, {ingress, collect, "public", true}, {prometheus, collect, "metrics", true}, {prometheus, store, "metrics", true},
		{store, store, "log", true},
		{collect, store, "log", false}, {stranger, store, "log", false}, {store, store, "receipt", false}, {collect, store, "private", false}, {collect, store, "metrics", false}, {collect, stranger, "443", false}, {collect, collect, "public", false},
		{store, collect, "public", false}, {store, stranger, "443", false}, {stranger, store, "receipt", false}, {stranger, store, "private", false}, {stranger, collect, "public", false},
		{ingress, store, "receipt", false}, {ingress, collect, "metrics", false}, {other, store, "receipt", false}, {prometheus, store, "private", false}, {prometheus, store, "receipt", false},
	} {
		if got := c.may(test.from, test.to, test.port); got != test.want {
			t.Errorf("%v to %v, port %s: %t", test.from, test.to, test.port, got)
		}
	}
}

// may is what NetworkPolicies say: where one selects a pod, one of those that do has to allow it, at both ends.
func (c *cluster) may(from, to peer, port string) bool {
	out, in := from.namespace != "brine", to.namespace != "brine"
	for _, p := range c.policies {
		selector := labels.SelectorFromSet(p.Spec.PodSelector.MatchLabels)
		if from.namespace == "brine" && selector.Matches(from.labels) {
			for _, rule := range p.Spec.Egress {
				out = out || leads(rule.To, to) && onPort(rule.Ports, port)
			}
		}
		if to.namespace == "brine" && selector.Matches(to.labels) {
			for _, rule := range p.Spec.Ingress {
				in = in || leads(rule.From, from) && onPort(rule.Ports, port)
			}
		}
	}
	return out && in
}

func leads(peers []networking.NetworkPolicyPeer, p peer) bool {
	return slices.ContainsFunc(peers, func(to networking.NetworkPolicyPeer) bool {
		if to.NamespaceSelector == nil && p.namespace != "brine" {
			return false
		}
		if to.NamespaceSelector != nil && !labels.SelectorFromSet(to.NamespaceSelector.MatchLabels).Matches(labels.Set{"kubernetes.io/metadata.name": p.namespace}) {
			return false
		}
		return to.PodSelector == nil || labels.SelectorFromSet(to.PodSelector.MatchLabels).Matches(p.labels)
	})
}

func onPort(ports []networking.NetworkPolicyPort, port string) bool {
	return len(ports) == 0 || slices.ContainsFunc(ports, func(p networking.NetworkPolicyPort) bool {
		return p.Port == nil || *p.Port == intstr.Parse(port)
	})
}

// Nothing in the namespace talks before a policy allows it.
func TestNetworkPoliciesBeginWithNothing(t *testing.T) {
	for _, p := range newCluster(t).policies {
		if len(p.Spec.PodSelector.MatchLabels) == 0 && len(p.Spec.Ingress)+len(p.Spec.Egress) == 0 && fmt.Sprint(p.Spec.PolicyTypes) == "[Ingress Egress]" {
			return
		}
	}
	t.Error("no policy refuses everything")
}

// commented is a setting that stands in a config as a comment.
var commented = regexp.MustCompile(`(?m)^# (log:|lake:|salts:|  )`)

// The configs are ones that Brine takes, also with what stands there as a comment for three nodes, but for the files that a pod has and this machine has not.
func TestConfigMapsAreTaken(t *testing.T) {
	for name, text := range newCluster(t).configs {
		for kind, text := range map[string]string{"as it is": text, "with all comments": commented.ReplaceAllString(text, "$1")} {
			text = strings.Replace(text, "\n  listen:", "\n  name: brine-store-0\n  listen:", 1) // which is the pod's host name
			path := filepath.Join(t.TempDir(), "brine.yaml")
			mustWrite(t, path, text)
			_, err := config.Load(path)
			var mistakes config.Mistakes
			if err != nil && !errors.As(err, &mistakes) {
				t.Fatal(name, kind, err)
			}
			for _, m := range mistakes {
				if !strings.Contains(m.What, "/run/brine") { // a file of a Secret
					t.Errorf("%s, %s: %v", name, kind, m)
				}
			}
		}
	}
}
