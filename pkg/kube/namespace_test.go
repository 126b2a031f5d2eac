package kube_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
)

const enforce = "pod-security.kubernetes.io/enforce"

func labelsOf(t *testing.T, c *kube.Client, name string) map[string]string {
	t.Helper()
	n, err := c.Clientset.CoreV1().Namespaces().Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return n.Labels
}

func TestNamespaceIsMadeOnceWithItsLabels(t *testing.T) {
	cluster, c, ns := connect(t)
	name := ns + "-made"
	n := kube.NewNamespace(c, name, kube.Baseline, kube.Restricted)
	wantAction(t, plan(t, n), engine.Create)
	mustApply(t, n)
	mark := cluster.Mark(t)
	wantAction(t, plan(t, n), engine.Unchanged)
	if got := mark.Writes(t); len(got) != 0 {
		t.Errorf("wrote %v", got)
	}
	l := labelsOf(t, c, name)
	if l[enforce] != "baseline" || l["pod-security.kubernetes.io/warn"] != "restricted" || l[kube.ManagedByLabel] != kube.FieldManager {
		t.Errorf("labels %v", l)
	}
	stricter := kube.NewNamespace(c, name, kube.Restricted, kube.Restricted)
	change := plan(t, stricter)
	wantAction(t, change, engine.Configure)
	if len(change.Fields) != 1 || change.Fields[0] != (engine.Field{Path: "metadata.labels[" + enforce + "]", From: "baseline", To: "restricted"}) {
		t.Errorf("%+v", change.Fields)
	}
	mustApply(t, stricter)
	wantAction(t, plan(t, stricter), engine.Unchanged)
}

func TestForeignNamespaceIsUsedAsItIs(t *testing.T) {
	tests := map[string]struct {
		labels map[string]string
		action engine.Action
	}{
		"without labels":           {nil, engine.Unchanged},
		"enforcing the same":       {map[string]string{enforce: "baseline"}, engine.Unchanged},
		"enforcing less":           {map[string]string{enforce: "privileged"}, engine.Unchanged},
		"refusing what goes there": {map[string]string{enforce: "restricted"}, engine.Blocked},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			cluster, c, ns := connect(t)
			api := cluster.Clientset().CoreV1().Namespaces()
			foreign := ns + "-foreign"
			if _, err := api.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: foreign, Labels: tt.labels}}, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
			n := kube.NewNamespace(c, foreign, kube.Baseline, kube.Restricted)
			change := plan(t, n)
			wantAction(t, change, tt.action)
			if tt.action == engine.Blocked && (!strings.Contains(change.Why, `"restricted"`) || !strings.Contains(change.Fix, "kubectl label namespace")) {
				t.Errorf("%+v", change)
			}
			if why := n.KeptBy(t.Context(), nil); !strings.Contains(why, "not made by") {
				t.Errorf("would be removed: %q", why)
			}
			var kept *kube.KeptError
			if err := n.Remove(t.Context()); !errors.As(err, &kept) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// A namespace that is on its way out is waited for, with what the namespace controller says about it, and then made anew.
func TestNamespaceThatIsBeingDeletedIsWaitedFor(t *testing.T) {
	cluster, c, ns := connect(t)
	api := cluster.Clientset().CoreV1().Namespaces()
	if err := api.Delete(t.Context(), ns, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	live, err := api.Get(t.Context(), ns, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	live.Status.Conditions = []corev1.NamespaceCondition{{Type: corev1.NamespaceContentRemaining, Status: corev1.ConditionTrue, Reason: "SomeResourcesRemain",
		Message: "Some resources are remaining: persistentvolumeclaims. has 1 resource instances", LastTransitionTime: metav1.Now()}}
	if _, err := api.UpdateStatus(t.Context(), live, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	n := kube.NewNamespace(c, ns, kube.Baseline, kube.Restricted)
	change := plan(t, n)
	wantAction(t, change, engine.Pending)
	health, err := n.Ready(t.Context())
	if err != nil || health.Ready || health.Hopeless {
		t.Errorf("%+v, %v", health, err)
	}
	for _, part := range []string{"namespace " + ns + " is being deleted since 20", "persistentvolumeclaims. has 1 resource instances"} {
		if !strings.Contains(change.Why, part) || !strings.Contains(health.Reason, part) {
			t.Errorf("lacks %q: %+v, %+v", part, change, health)
		}
	}
	inside := kube.NewObject(c, kube.Fixed(object(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: inside}}`, ns)))
	namespaceStep := engine.ID("namespace/" + ns)
	var told []string
	run := engine.Run{Steps: []engine.Step{engine.New(namespaceStep, n), engine.New("configmap/inside", inside, namespaceStep)}, Report: func(e engine.Event) {
		told = append(told, string(e.Kind)+" "+string(e.ID)+" "+e.Result)
		if e.Kind == engine.Waiting {
			cluster.EndNamespace(t, ns)
		}
	}}
	planned, err := run.Plan(t.Context())
	if err != nil || planned.Err() != nil {
		t.Fatal(err, planned.Err())
	}
	if c := planned.Steps[1].Change; c.Action != engine.Create || c.After != namespaceStep {
		t.Errorf("%+v", c)
	}
	if err := run.Apply(t.Context(), planned, engine.Options{Timeout: time.Minute}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"waiting namespace/" + ns + " ", "started namespace/" + ns + " ", "done namespace/" + ns + " created", "started configmap/inside ", "done configmap/inside created"}, told); d != "" {
		t.Error(d)
	}
	if l := labelsOf(t, c, ns); l[kube.ManagedByLabel] != kube.FieldManager {
		t.Errorf("labels %v", l)
	}
}

// A removed namespace is gone when nothing is left of it, also when somebody makes one of the same name.
func TestNamespaceIsGoneWhenItIs(t *testing.T) {
	cluster, c, ns := connect(t)
	made := ns + "-made"
	n := kube.NewNamespace(c, made, kube.Baseline, kube.Restricted)
	mustApply(t, n)
	if err := n.Remove(t.Context()); err != nil {
		t.Fatal(err)
	}
	gone := func() engine.Health {
		t.Helper()
		health, err := n.Gone(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return health
	}
	if h := gone(); h.Ready || !strings.Contains(h.Reason, "is being deleted since") {
		t.Errorf("%+v", h)
	}
	if err := n.Remove(t.Context()); err != nil {
		t.Errorf("removed twice: %v", err)
	}
	cluster.EndNamespace(t, made)
	if h := gone(); !h.Ready {
		t.Errorf("%+v", h)
	}
	mustApply(t, kube.NewNamespace(c, made, kube.Baseline, kube.Restricted))
	if h := gone(); !h.Ready {
		t.Errorf("another of the same name: %+v", h)
	}
}

func TestEndOfNamespace(t *testing.T) {
	cluster, c, ns := connect(t)
	nobody := func(reason string) { t.Errorf("waits: %s", reason) }
	for _, name := range []string{ns, "nowhere"} {
		if waited, err := c.EndOfNamespace(t.Context(), name, time.Minute, nobody); waited || err != nil {
			t.Errorf("%s: %v, %v", name, waited, err)
		}
	}
	if err := cluster.Clientset().CoreV1().Namespaces().Delete(t.Context(), ns, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, short := range []time.Duration{0, 100 * time.Millisecond, 600 * time.Millisecond} {
		if _, err := c.EndOfNamespace(t.Context(), ns, short, func(string) {}); !errors.Is(err, engine.ErrTimeout) || !strings.Contains(err.Error(), "is being deleted since") {
			t.Errorf("within %s: %v", short, err)
		}
	}
	interrupted := errors.New("interrupted")
	ctx, cancel := context.WithCancelCause(t.Context())
	if _, err := c.EndOfNamespace(ctx, ns, time.Hour, func(string) { cancel(interrupted) }); !errors.Is(err, interrupted) {
		t.Errorf("got %v", err)
	}
	told := 0
	waited, err := c.EndOfNamespace(t.Context(), ns, time.Minute, func(string) {
		if told++; told == 2 {
			cluster.EndNamespace(t, ns)
		}
	})
	if !waited || err != nil || told != 2 {
		t.Errorf("%v, %v, told %d times", waited, err, told)
	}
}

func TestNamespaceStaysAsLongAsItHoldsSomething(t *testing.T) {
	claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: "data-db-0"}, Spec: corev1.PersistentVolumeClaimSpec{AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
		Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: mustQuantity("1Gi")}}}}
	release := func(name string) *corev1.Secret {
		return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "sh.helm.release.v1." + name + ".v1", Labels: map[string]string{"owner": "helm", "name": name}}}
	}
	tests := map[string]struct {
		claim           *corev1.PersistentVolumeClaim
		secret          *corev1.Secret
		named           engine.ID
		planned, atOnce string
	}{
		"empty":             {},
		"a volume":          {claim: claim, planned: "persistentvolumeclaim/data-db-0", atOnce: "persistentvolumeclaim/data-db-0"},
		"our own release":   {secret: release("ours"), atOnce: "Helm release ours"},
		"another's release": {secret: release("theirs"), planned: "Helm release theirs", atOnce: "Helm release theirs"},
		"a certificate":     {secret: &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "onyxia-tls"}}, planned: "secret/onyxia-tls", atOnce: "secret/onyxia-tls"},
		"a named volume":    {claim: claim, named: "persistentvolumeclaim/data-db-0", atOnce: "persistentvolumeclaim/data-db-0"},
		"a named password":  {secret: &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "password"}}, named: "secret/password", atOnce: "secret/password"},
		"a password":        {secret: &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "password"}}, named: "secret/onyxia-tls", planned: "secret/password", atOnce: "secret/password"},
		"another's part":    {secret: &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "onyxia-tls"}}, named: "certificate.acme/onyxia-tls", atOnce: "secret/onyxia-tls"},
		"some other secret": {secret: &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "x"}}, planned: "secret/x", atOnce: "secret/x"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			cluster, c, ns := connect(t)
			made := ns + "-made"
			n := kube.NewNamespace(c, made, kube.Baseline, kube.Restricted, kube.Releases("ours"),
				kube.Holding("password"), kube.HoldingOf("certificate.acme/onyxia-tls", "onyxia-tls"))
			if err := n.Remove(t.Context()); err != nil {
				t.Fatalf("not there is no error: %v", err)
			}
			mustApply(t, n)
			core := cluster.Clientset().CoreV1()
			if tt.claim != nil {
				if _, err := core.PersistentVolumeClaims(made).Create(t.Context(), tt.claim, metav1.CreateOptions{}); err != nil {
					t.Fatal(err)
				}
			}
			if tt.secret != nil {
				if _, err := core.Secrets(made).Create(t.Context(), tt.secret, metav1.CreateOptions{}); err != nil {
					t.Fatal(err)
				}
			}
			if why := n.KeptBy(t.Context(), map[engine.ID]bool{tt.named: true}); (why == "") != (tt.planned == "") || !strings.Contains(why, tt.planned) {
				t.Errorf("refusal %q, want %q", why, tt.planned)
			}
			err := n.Remove(t.Context())
			live, getErr := core.Namespaces().Get(t.Context(), made, metav1.GetOptions{})
			if getErr != nil {
				t.Fatal(getErr)
			}
			var kept *kube.KeptError
			switch {
			case tt.atOnce == "" && (err != nil || live.DeletionTimestamp == nil):
				t.Errorf("not removed: %v", err)
			case tt.atOnce != "" && (!errors.As(err, &kept) || !strings.Contains(err.Error(), tt.atOnce) || live.DeletionTimestamp != nil):
				t.Errorf("removed, or not told why it was kept: %v", err)
			}
		})
	}
}

// C6: what a person put into the namespace of a stage keeps it, by name; what comes with the stage does not.
func TestNamespaceKeepsWhatIsNotKnown(t *testing.T) {
	meta := func(name string, change ...func(*metav1.ObjectMeta)) metav1.ObjectMeta {
		m := metav1.ObjectMeta{Name: name, Labels: map[string]string{}, Annotations: map[string]string{}}
		for _, f := range change {
			f(&m)
		}
		return m
	}
	label := func(key, value string) func(*metav1.ObjectMeta) {
		return func(m *metav1.ObjectMeta) { m.Labels[key] = value }
	}
	note := func(key, value string) func(*metav1.ObjectMeta) {
		return func(m *metav1.ObjectMeta) { m.Annotations[key] = value }
	}
	owner := func(version, kind, name string) func(*metav1.ObjectMeta) {
		return func(m *metav1.ObjectMeta) {
			m.OwnerReferences = []metav1.OwnerReference{{APIVersion: version, Kind: kind, Name: name, UID: "1"}}
		}
	}
	pod := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "x"}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "none"}}, RestartPolicy: corev1.RestartPolicyNever}}
	lasting := *pod.DeepCopy()
	lasting.Spec.RestartPolicy = corev1.RestartPolicyAlways
	secret := func(m metav1.ObjectMeta) runtime.Object {
		return &corev1.Secret{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"}, ObjectMeta: m}
	}
	deployment := func(m metav1.ObjectMeta) runtime.Object {
		return &appsv1.Deployment{TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"}, ObjectMeta: m,
			Spec: appsv1.DeploymentSpec{Selector: &metav1.LabelSelector{MatchLabels: pod.Labels}, Template: lasting}}
	}
	job := batchv1.JobSpec{Template: pod}
	for name, c := range map[string]struct {
		object runtime.Object
		keeps  string
	}{
		"a Secret":                         {secret(meta("minio-admin")), "secret/minio-admin"},
		"one of another release":           {secret(meta("other", label(kube.ManagedByLabel, "Helm"), note("meta.helm.sh/release-name", "theirs"))), "secret/other"},
		"one that an operator keeps":       {secret(meta("synced", owner("external-secrets.io/v1", "ExternalSecret", "synced"))), "secret/synced"},
		"one of ours":                      {secret(meta("made", label(kube.ManagedByLabel, kube.FieldManager))), ""},
		"one of our release":               {secret(meta("mine", label(kube.ManagedByLabel, "Helm"), note("meta.helm.sh/release-name", "ours"))), ""},
		"one that our Cluster has":         {secret(meta("db-ca", owner("postgresql.cnpg.io/v1", "Cluster", "db"))), ""},
		"the record of our release":        {secret(meta("sh.helm.release.v1.ours.v1", label("owner", "helm"), label("name", "ours"))), ""},
		"a token of a service account":     {secret(meta("default-token", note("kubernetes.io/service-account.name", "default"))), ""},
		"one of a hook":                    {secret(meta("admission")), ""},
		"one that the configuration names": {secret(meta("named", label(kube.ManagedByLabel, kube.FieldManager))), "secret/named"},
		"a Deployment":                     {deployment(meta("tool")), "deployment/tool"},
		"a Deployment of ours":             {deployment(meta("tool", label(kube.ManagedByLabel, kube.FieldManager))), ""},
		"a CronJob":                        {&batchv1.CronJob{TypeMeta: metav1.TypeMeta{APIVersion: "batch/v1", Kind: "CronJob"}, ObjectMeta: meta("renew"), Spec: batchv1.CronJobSpec{Schedule: "@daily", JobTemplate: batchv1.JobTemplateSpec{Spec: job}}}, "cronjob/renew"},
		"a Job of a hook":                  {&batchv1.Job{TypeMeta: metav1.TypeMeta{APIVersion: "batch/v1", Kind: "Job"}, ObjectMeta: meta("hook", note("helm.sh/hook", "post-install")), Spec: job}, ""},
		"a pod":                            {&corev1.Pod{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}, ObjectMeta: meta("shell"), Spec: pod.Spec}, "pod/shell"},
		"a pod of a Deployment":            {&corev1.Pod{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}, ObjectMeta: meta("tool-1", owner("apps/v1", "ReplicaSet", "tool")), Spec: pod.Spec}, ""},
		"a ConfigMap":                      {&corev1.ConfigMap{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"}, ObjectMeta: meta("x")}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, c2, ns := connect(t)
			made := ns + "-made"
			n := kube.NewNamespace(c2, made, kube.Privileged, kube.Privileged, kube.Releases("ours"), kube.Holding("named"), kube.Known("admission", "cluster.postgresql.cnpg.io/db"))
			mustApply(t, n)
			content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(c.object)
			if err != nil {
				t.Fatal(err)
			}
			u := &unstructured.Unstructured{Object: content}
			u.SetNamespace(made)
			if err := c2.Mend(t.Context(), u); err != nil {
				t.Fatal(err)
			}
			why := n.KeptBy(t.Context(), nil)
			if c.keeps == "" && why != "" || !strings.Contains(why, c.keeps) {
				t.Errorf("kept because of %q, want %q", why, c.keeps)
			}
			if c.keeps == "" {
				return
			}
			var kept *kube.KeptError
			if err := n.Remove(t.Context()); !errors.As(err, &kept) || !strings.Contains(err.Error(), c.keeps) {
				t.Errorf("removed, or not told why it was kept: %v", err)
			}
		})
	}
}
