package kube

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// ForceConflictsFlag is the flag that takes fields over from other field managers; kubectl apply has the same.
const ForceConflictsFlag = "--force-conflicts"

// Conflict is a field that another field manager holds at another value.
type Conflict struct {
	Field   string
	Manager string
}

// ConflictError says that other field managers hold fields that we want to change.
type ConflictError struct {
	Object    string
	Conflicts []Conflict
	Err       error
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("%s: %s; %s", e.Object, e.why(), e.fix())
}

func (e *ConflictError) Unwrap() error { return e.Err }

func (e *ConflictError) why() string {
	var parts []string
	for _, c := range e.Conflicts {
		parts = append(parts, fmt.Sprintf("%s is held by field manager %q", c.Field, c.Manager))
	}
	slices.Sort(parts)
	return strings.Join(slices.Compact(parts), ", ")
}

func (e *ConflictError) fix() string {
	return "leave that to whoever set it, or take it over with " + ForceConflictsFlag
}

// ImmutableError says that Kubernetes does not let a field of an existing object change.
type ImmutableError struct {
	Object string
	// Fields that may not change, as the API server names them.
	Fields []string
	// Why is the API server's reason.
	Why string
	// Delete is the kubectl command that removes the object so that it can be made anew.
	Delete string
	Err    error
}

func (e *ImmutableError) Error() string {
	return fmt.Sprintf("%s: Kubernetes does not let %s change once it is set (%s); to have it as wanted, remove the object, with whatever it holds, by `%s` and run the same command again",
		e.Object, strings.Join(e.Fields, ", "), e.Why, e.Delete)
}

func (e *ImmutableError) Unwrap() error { return e.Err }

// refusal turns what the API server says to a write into an error that names the object, the cause and the way out.
func refusal(o *unstructured.Unstructured, err error) error {
	var status *apierrors.StatusError
	if err == nil {
		return nil
	}
	if !errors.As(err, &status) {
		return fmt.Errorf("write %s: %w", describe(o), err)
	}
	causes := causesOf(status)
	switch {
	case apierrors.HasStatusCause(err, metav1.CauseTypeFieldManagerConflict):
		return &ConflictError{Object: describe(o), Conflicts: conflictsOf(causes), Err: err}
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return fmt.Errorf("write %s: namespace %s is being deleted; %s: %w", describe(o), o.GetNamespace(), endingFix(o.GetNamespace()), err)
	case apierrors.IsInvalid(err):
		if fields, why := immutable(causes); len(fields) > 0 {
			return &ImmutableError{Object: describe(o), Fields: fields, Why: why, Delete: deleteCommand(o), Err: err}
		}
	}
	return fmt.Errorf("write %s: %w", describe(o), err)
}

func causesOf(e *apierrors.StatusError) []metav1.StatusCause {
	if e.ErrStatus.Details == nil {
		return nil
	}
	return e.ErrStatus.Details.Causes
}

// conflictsOf reads the causes; the manager stands in the message: conflict with "kubectl-edit" using apps/v1.
func conflictsOf(causes []metav1.StatusCause) (found []Conflict) {
	for _, c := range causes {
		if c.Type != metav1.CauseTypeFieldManagerConflict {
			continue
		}
		manager := c.Message
		if parts := strings.SplitN(c.Message, `"`, 3); len(parts) == 3 {
			manager = parts[1]
		}
		found = append(found, Conflict{Field: strings.TrimPrefix(c.Field, "."), Manager: manager})
	}
	return found
}

// immutable finds the fields that an update may not change. The API server has no code for that, only these words
// (kubernetes/kubernetes pkg/apis/*/validation).
func immutable(causes []metav1.StatusCause) (fields []string, why string) {
	for _, c := range causes {
		for _, words := range []string{"immutable", "updates to statefulset spec", "may not change", "cannot be changed", "cannot change"} {
			if !strings.Contains(strings.ToLower(c.Message), words) || slices.Contains(fields, c.Field) {
				continue
			}
			fields = append(fields, c.Field)
			// The message may quote the whole value before the reason, and a listing after it.
			first, _, _ := strings.Cut(c.Message, "\n")
			why = first[strings.LastIndex(first, ": ")+1:]
		}
	}
	return fields, strings.TrimSpace(why)
}

func deleteCommand(o *unstructured.Unstructured) string {
	kind := strings.ToLower(o.GetKind())
	if group := o.GroupVersionKind().Group; group != "" {
		kind += "." + group
	}
	command := fmt.Sprintf("kubectl delete %s %s", kind, o.GetName())
	if o.GetNamespace() != "" {
		command += " -n " + o.GetNamespace()
	}
	return command
}
