package platform

import (
	"encoding/json"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/api/resource"
)

// InForce tells whether namespaces are limited at all.
func (q Quotas) InForce() bool {
	if q.Enabled != nil {
		return *q.Enabled
	}
	return q.Default != Quota{} || q.User != Quota{} || q.Group != Quota{} || len(q.Roles) > 0
}

// ForUsers is the quota of a user's namespace, with what is left out taken from the default.
func (q Quotas) ForUsers() Quota { return q.User.over(q.Default) }

// ForGroups is the quota of a group's namespace, with what is left out taken from the default.
func (q Quotas) ForGroups() Quota { return q.Group.over(q.Default) }

// over fills what is left out from below.
func (q Quota) over(below Quota) Quota {
	set(&q.RequestsCPU, below.RequestsCPU)
	set(&q.RequestsMemory, below.RequestsMemory)
	set(&q.LimitsCPU, below.LimitsCPU)
	set(&q.LimitsMemory, below.LimitsMemory)
	set(&q.RequestsStorage, below.RequestsStorage)
	set(&q.RequestsEphemeral, below.RequestsEphemeral)
	set(&q.LimitsEphemeral, below.LimitsEphemeral)
	set(&q.Pods, below.Pods)
	set(&q.RequestsGPU, below.RequestsGPU)
	set(&q.LimitsGPU, below.LimitsGPU)
	return q
}

// checkQuotas: the API hands each amount on to Kubernetes when a user first logs in, and that login fails on a wrong one.
func checkQuotas(q Quotas) error {
	errs := []error{q.Default.check("default"), q.User.check("user"), q.Group.check("group")}
	for _, name := range sortedKeys(q.Roles) {
		errs = append(errs, q.Roles[name].check("roles."+name))
	}
	if q.Enabled != nil && *q.Enabled && q.Default == (Quota{}) && q.User == (Quota{}) && q.Group == (Quota{}) && len(q.Roles) == 0 {
		errs = append(errs, errors.New("app.quota.enabled: there is no quota to enable: name limits under app.quota.user or app.quota.default"))
	}
	return errors.Join(errs...)
}

func (q Quota) check(name string) error {
	raw, err := json.Marshal(q)
	if err != nil {
		return fmt.Errorf("app.quota.%s: %w", name, err)
	}
	var limits map[string]any
	if err := json.Unmarshal(raw, &limits); err != nil {
		return fmt.Errorf("app.quota.%s: %w", name, err)
	}
	var errs []error
	for _, key := range sortedKeys(limits) {
		amount, err := resource.ParseQuantity(fmt.Sprint(limits[key]))
		if err != nil || amount.Sign() < 0 {
			errs = append(errs, fmt.Errorf("app.quota.%s: %s: \"%v\" is not a quantity such as 500m or 10Gi", name, key, limits[key]))
		}
	}
	return errors.Join(errs...)
}
