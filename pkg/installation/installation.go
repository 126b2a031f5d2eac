// Package installation is one datalab in one cluster: what is wanted of it, the record of it, its lock, and the run of
// steps for the stages that a command names. It has no command line and no output of its own.
package installation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/helm"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/profile"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage/ingress"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage/tls"
)

// DefaultNamespace is where the record is looked for when nobody names another namespace.
const DefaultNamespace = "onyxia"

// downloadTimeout bounds one request to a chart repository.
const downloadTimeout = 2 * time.Minute

// Options say how to open an installation.
type Options struct {
	// Flags are the keys given on the command line; they win.
	Flags platform.Config
	// File is the onyxia.yaml; empty for the one in the current directory, if any.
	File string
	// Read reads it; nil reads it from the disk.
	Read func(name string) ([]byte, error)
	// ChartDir holds charts as .tgz files; empty to download them.
	ChartDir string
	// CacheDir keeps what was downloaded.
	CacheDir string
	// Kube is the cluster.
	Kube *kube.Client
	// Stages that exist.
	Stages []stage.Stage
	// Warn tells the admin something that stops nothing.
	Warn func(string)
	// Waiting is told what Helm itself waits for, a hook for instance; nil for nobody.
	Waiting func(id engine.ID, reason string)
	// Debug is told Helm's own log; nil for nobody.
	Debug func(format string, args ...any)
	// Looking says that nothing is going to be written: charts are not asked for.
	Looking bool
	// DNSWait is how long a run waits for the DNS record of the login.
	DNSWait time.Duration
	// Records is told, once, the DNS records that a run waits for; nil for nobody.
	Records func([]ingress.Record)
}

// Installation is one datalab.
type Installation struct {
	Platform platform.Platform
	Profile  profile.Profile
	Kube     *kube.Client
	// Present are the stages that stand, by the record.
	Present map[string]bool
	// Recorded tells whether there is a record, even if no stage stands yet.
	Recorded bool
	// File is the configuration file that was read; empty for none.
	File string

	config platform.Config
	helm   *helm.Client
	record *recordStore
	// last is the record that everything here was made from.
	last    record
	stages  []stage.Stage
	warn    func(string)
	dnsWait time.Duration
	records func([]ingress.Record)
	// made says that the lock's namespace had to be made for it.
	made bool
	// lenient says that nothing of the configuration is going to be written.
	lenient bool
	// keycloak is the one connection of all runs; nil before it is asked for, or without a login.
	keycloak *stage.Keycloak
}

// Open reads the configuration file and the record, and settles what is wanted. It writes nothing.
func Open(ctx context.Context, o Options) (*Installation, error) {
	keys, file, err := o.readFile()
	if err != nil {
		return nil, err
	}
	store := newRecordStore(o.Kube, recordNamespace(o.Flags, file))
	seen, err := store.shared.Get(ctx)
	if err != nil {
		return nil, err
	}
	last, err := seen.config()
	if err != nil {
		return nil, err
	}
	config, err := layered(o.Flags, keys, last)
	if err != nil {
		return nil, err
	}
	i := &Installation{
		Kube: o.Kube, Present: seen.stages(), Recorded: seen != nil,
		File: fileRead(o.File, keys), config: config, record: store, last: seen, stages: o.Stages, warn: o.Warn,
		dnsWait: o.DNSWait, records: o.Records, lenient: o.Looking,
		helm: &helm.Client{
			Kube: o.Kube, Looking: o.Looking, ChartDir: o.ChartDir, CacheDir: o.CacheDir, Warn: o.Warn, Debug: o.Debug, Waiting: o.Waiting,
			HTTP: &http.Client{Timeout: downloadTimeout},
		},
	}
	i.helm.Busy = i.busy
	i.helm.Installation, i.helm.Unrecorded = store.namespace, seen == nil
	if i.Platform, err = platform.Complete(config); err != nil {
		if seen == nil && keys == nil && errors.Is(err, platform.ErrNoDomain) {
			return nil, &UnknownError{Namespace: store.namespace, err: err}
		}
		return nil, err
	}
	i.Profile, err = chosenProfile(i.Platform)
	return i, err
}

func recordNamespace(layers ...platform.Config) string {
	for _, c := range layers {
		if c.App.Namespace != "" {
			return c.App.Namespace
		}
	}
	return DefaultNamespace
}

// chosenProfile loads the profile and puts the configuration's charts and images on top.
func chosenProfile(p platform.Platform) (profile.Profile, error) {
	chosen, err := profile.Load(p.Profile)
	if err != nil {
		return chosen, err
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(p.Charts)) {
		with, err := chosen.WithChart(name, profile.Chart(p.Charts[name]))
		if err != nil {
			errs = append(errs, fmt.Errorf("charts.%s: %w", name, err))
			continue
		}
		chosen = with
	}
	for _, name := range slices.Sorted(maps.Keys(p.Images)) {
		with, err := chosen.WithImage(name, p.Images[name])
		if err != nil {
			errs = append(errs, fmt.Errorf("images.%s: %w", name, err))
			continue
		}
		chosen = with
	}
	return chosen, errors.Join(errs...)
}

// StageNames are the names of all stages, in order.
func (i *Installation) StageNames() []string {
	names := make([]string, len(i.stages))
	for n, s := range i.stages {
		names[n] = s.Name
	}
	return names
}

// Env is what stages make their steps from, for a run of the named stages.
func (i *Installation) Env(selected ...string) stage.Env {
	present := map[string]bool{}
	for name := range i.Present {
		present[name] = true
	}
	for _, name := range selected {
		present[name] = true
	}
	env := stage.Env{
		Platform: i.Platform, Profile: i.Profile, Kube: i.Kube, Helm: i.helm,
		Present: present, Standing: i.Present, Links: stage.NewLinks(), Warn: i.warn,
	}
	if i.keycloak == nil && i.Platform.HasAuth() {
		i.keycloak = stage.NewKeycloak(i.Platform, i.Kube)
	}
	env.Keycloak = i.keycloak
	return env
}

// withApp adds the app when one of the stages changes what it is configured with, and it stands.
func (i *Installation) withApp(names []string) []string {
	for _, s := range i.stages {
		if s.Rerenders && i.Present["app"] && slices.Contains(names, s.Name) && !slices.Contains(names, "app") {
			return append(slices.Clone(names), "app")
		}
	}
	return names
}

// Run is the run of the named stages. Steps of other stages are in it where they may be needed; they are only read.
func (i *Installation) Run(ctx context.Context, report func(engine.Event), names ...string) (engine.Run, error) {
	if err := i.checkSecrets(); err != nil {
		return engine.Run{}, err
	}
	names = i.withApp(names)
	// The steps of other stages may read Secrets as soon as they are made.
	alone := certificateAlone(names) && !i.lenient
	env := i.Env(names...)
	for _, idle := range idleImages(env) {
		i.warn(idle)
	}
	steps, err := i.base()
	if err != nil {
		return engine.Run{}, err
	}
	for _, s := range i.stages {
		if optional(s.Name) && (alone || !env.Present[s.Name]) {
			continue
		}
		list, err := i.stageSteps(ctx, s, env)
		if err != nil {
			return engine.Run{}, fmt.Errorf("stage %s: %w", s.Name, err)
		}
		steps = append(steps, list...)
	}
	if alone {
		steps = withoutRelease(steps)
	}
	return engine.Run{
		Steps:        i.withIssuerRecord(afterServed(steps), env, names),
		Selected:     func(s engine.Step) bool { return s.Stage == baseStage || slices.Contains(names, s.Stage) },
		Report:       i.tellingRecords(env, i.telling(report)),
		Passing:      kube.Passing,
		StageCommand: i.stageCommand,
		Adopted:      i.record,
	}, nil
}

// optional stages exist only when the record or the run says so; the others are what those stand on.
func optional(name string) bool { return name != "ingress" && name != "tls" }

// baseStage marks the steps that belong to the installation as a whole.
const baseStage = "onyxia"

// base makes the namespace and the record of what is wanted.
func (i *Installation) base() ([]engine.Step, error) {
	text, err := recorded(i.Platform, i.config)
	if err != nil {
		return nil, err
	}
	namespace := i.Platform.Namespace()
	return engine.Stage(baseStage,
		engine.New(stage.NamespaceID(namespace), i.home()).NamingData(),
		engine.New(configID, &entry{store: i.record, key: configKey, want: text}, stage.NamespaceID(namespace)).NamingData(),
	), nil
}

// home is the namespace of Onyxia, of the record and of the lock. It stays as long as it holds what is worth keeping.
func (i *Installation) home() *kube.Namespace {
	return kube.NewNamespace(i.Kube, i.Platform.Namespace(), kube.Baseline, kube.Baseline,
		kube.Releases("onyxia"), kube.HoldingOf(stage.CertificateID, tls.AccountSecret), kube.Holding(stage.KeycloakAccountSecret),
		kube.Holding(i.Platform.NamedSecrets(i.Platform.Namespace())...), kube.Keeping(i.record.keepsHome))
}

// telling corrects the one line that would be wrong: a namespace that was made for the lock was made by this run.
func (i *Installation) telling(report func(engine.Event)) func(engine.Event) {
	if report == nil {
		return nil
	}
	return func(e engine.Event) {
		if i.made && e.Kind == engine.Done && e.ID == stage.NamespaceID(i.Platform.Namespace()) {
			e.Change.Action, e.Result = engine.Create, "created"
		}
		report(e)
	}
}

// stageSteps are the steps of a stage, each after the record, and a last one that notes that the stage stands.
func (i *Installation) stageSteps(ctx context.Context, s stage.Stage, env stage.Env) ([]engine.Step, error) {
	list, err := s.Steps(ctx, env)
	if err != nil || len(list) == 0 && !i.Present[s.Name] {
		// Not wanted (vault.mode: none): nothing stands, and nothing is noted. A note of before stays until it is removed.
		return nil, err
	}
	all := make([]engine.ID, 0, len(list))
	for n := range list {
		list[n].Needs = append(list[n].Needs, configID)
		all = append(all, list[n].ID)
	}
	note := engine.New(stageID(s.Name), &entry{store: i.record, key: stagePrefix + s.Name, want: i.Profile.Name}, all...).GoesLast()
	return engine.Stage(s.Name, append(list, note)...), nil
}

// TellDoubts asks the named stages for what takes more than a look to be seen, by the login that the run has already. That it
// cannot be had is no failure of the run, and is told as well.
func (i *Installation) TellDoubts(ctx context.Context, names ...string) {
	env := i.Env(names...)
	for _, s := range i.stages {
		if s.Doubts == nil || !slices.Contains(names, s.Name) {
			continue
		}
		doubts, err := s.Doubts(ctx, env)
		if err != nil {
			doubts = append(doubts, "stage "+s.Name+": not everything that may be wrong could be looked at: "+err.Error())
		}
		for _, doubt := range doubts {
			i.warn(doubt)
		}
	}
}

func (i *Installation) stageCommand(name string) string {
	for _, s := range i.stages {
		if s.Name == name {
			return fmt.Sprintf("kubectl onyxia %s %s", name, s.Verb)
		}
	}
	return "kubectl onyxia up"
}

// busy says which other run holds the lock. Whoever may not read the lock does not learn of it.
func (i *Installation) busy(ctx context.Context) (string, error) {
	holder, err := i.Kube.LockHolder(ctx, i.Platform.Namespace(), RecordName)
	if apierrors.IsForbidden(err) {
		return "", nil
	}
	if err != nil || holder == nil {
		return "", err
	}
	return holder.Who(), nil
}

// AwaitHome waits until a namespace of Onyxia that is being deleted is gone, because neither record nor lock can be made
// in it. It returns true when it had to: what was read of the record is no longer true then. Told is the reason, once each.
// The wait ends after the limit, with an error that matches engine.ErrTimeout.
func (i *Installation) AwaitHome(ctx context.Context, limit time.Duration, report func(engine.Event)) (bool, error) {
	began, last := time.Now(), ""
	return i.Kube.EndOfNamespace(ctx, i.Platform.Namespace(), limit, func(reason string) {
		if reason != last {
			report(engine.Event{Kind: engine.Waiting, ID: stage.NamespaceID(i.Platform.Namespace()), Stage: baseStage, Reason: reason, Elapsed: time.Since(began)})
		}
		last = reason
	})
}

// Lock takes the installation's lock; its namespace is made if it is not there. An *engine.ChangedError says that another run has
// been at work since this one read the record: what it planned would take that back.
func (i *Installation) Lock(ctx context.Context) (engine.Lock, error) {
	namespace, timing := i.Platform.Namespace(), kube.DefaultLockTiming()
	timing.Watching = func(holder string, during time.Duration) {
		i.warn(fmt.Sprintf("the lock of %s looks abandoned: watching for %s whether it is renewed", holder, during))
	}
	held, err := i.Kube.LockFor(ctx, namespace, RecordName, timing)
	var absent *kube.NoNamespaceError
	if errors.As(err, &absent) {
		if err := i.unmoved(ctx); err != nil {
			return nil, err
		}
		ns := i.home()
		seen, observeErr := ns.Observe(ctx)
		if observeErr != nil {
			return nil, observeErr
		}
		if applyErr := ns.Apply(ctx, seen); applyErr != nil {
			return nil, applyErr
		}
		i.made = true
		held, err = i.Kube.LockFor(ctx, namespace, RecordName, timing)
	}
	if err != nil {
		return nil, err
	}
	if err := i.unmoved(ctx); err != nil {
		return nil, errors.Join(err, held.Unlock(context.WithoutCancel(ctx)))
	}
	return held, nil
}

// unmoved reads the record again, and fails when it is not what everything here was made from.
func (i *Installation) unmoved(ctx context.Context) error {
	now, err := i.record.read(ctx)
	if err == nil && !maps.Equal(now, i.last) {
		err = &engine.ChangedError{What: []string{fmt.Sprintf("configmap %s/%s: another run has written the record of this datalab", i.record.namespace, RecordName)}}
	}
	return err
}
