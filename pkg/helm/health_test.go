package helm

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

func (s site) ready(r *ReleaseResource) engine.Health {
	s.t.Helper()
	health, err := r.Ready(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return health
}

func TestReady(t *testing.T) {
	s := newSite(t)
	r := s.release(s.charts.add("demo", "1.0.0", withDefinition("ready")), nil)
	if health := s.ready(s.client().Release(r)); health.Ready || health.Reason != "release demo is not installed" {
		t.Errorf("before: %+v", health)
	}
	s.apply(r)
	resource := s.client().Release(r)
	if health := s.ready(resource); health.Ready || !strings.Contains(health.Reason, "Deployment "+s.namespace+"/demo") {
		t.Errorf("without pods: %+v", health)
	}
	s.cluster.MakeReady(t, "Deployment", s.namespace, "demo")
	if health := s.ready(resource); !health.Ready {
		t.Errorf("with pods: %+v", health)
	}
	if err := s.client().Kube.Dynamic.Resource(things("ready")).Namespace(s.namespace).Delete(t.Context(), "it", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if health := s.ready(resource); health.Ready || !strings.Contains(health.Reason, "Thing "+s.namespace+"/it is not there") {
		t.Errorf("without the custom resource: %+v", health)
	}
}

// A whole run by the engine: the first installs and waits, the second reads each object once and writes nothing.
func TestByTheEngine(t *testing.T) {
	s := newSite(t)
	s.cluster.KeepReady(t)
	r := s.release(s.charts.add("demo", "1.0.0", demoFiles()), map[string]any{"greeting": "hi"})
	first := engine.Run{Steps: []engine.Step{engine.New(ReleaseID(r.Name), s.client().Release(r))}}
	plan, err := first.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Apply(t.Context(), plan, engine.Options{Timeout: time.Minute}); err != nil {
		t.Fatal(err)
	}

	mark := s.cluster.Mark(t)
	second := engine.Run{Steps: []engine.Step{engine.New(ReleaseID(r.Name), s.client().Release(r))}}
	if plan, err = second.Plan(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !plan.Settled() {
		t.Errorf("second plan: %+v", plan.Steps)
	}
	if err := second.Apply(t.Context(), plan, engine.Options{Timeout: time.Minute}); err != nil {
		t.Fatal(err)
	}
	if writes := mark.Writes(t); len(writes) > 0 {
		t.Errorf("writes: %q", writes)
	}
	const discovery = 2
	if got := mark.Requests(t); len(got) > discovery+1+demoObjects {
		t.Errorf("%d requests: %q", len(got), got)
	}
}

// Who waits for the address of a load balancer: the release, or a step after it.
func TestReadyWithoutAddress(t *testing.T) {
	s := newSite(t)
	files := demoFiles()
	files["templates/service.yaml"] = strings.Replace(files["templates/service.yaml"], "spec: {", "spec: {type: LoadBalancer, ", 1)
	r := s.release(s.charts.add("demo", "1.0.0", files), nil)
	s.apply(r)
	s.cluster.MakeReady(t, "Deployment", s.namespace, "demo")
	if health := s.ready(s.client().Release(r)); health.Ready || !strings.Contains(health.Reason, "the load balancer has no address yet") {
		t.Errorf("the release waits: %+v", health)
	}
	r.AddressLater = true
	if health := s.ready(s.client().Release(r)); !health.Ready {
		t.Errorf("another step waits: %+v", health)
	}
}
