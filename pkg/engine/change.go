package engine

import (
	"fmt"
	"slices"
	"strings"
)

// ID names a step the way kubectl names an object: kind, group or system, name. Examples: "secret/onyxia-tls",
// "release.helm/traefik", "client.keycloak/onyxia". It is unique within an installation.
type ID string

// Action is what a plan would do with one step.
type Action string

// The actions, from the one that touches nothing to the ones that need a person.
const (
	Unchanged Action = "unchanged" // what is there is what is wanted
	Create    Action = "create"    // it is not there
	Configure Action = "configure" // it is there and differs
	Replace   Action = "replace"   // it has to be removed and made anew
	Delete    Action = "delete"    // it is there and is to go
	Kept      Action = "kept"      // it holds data, and was not named for deletion
	Blocked   Action = "blocked"   // a person has to do something first
	Pending   Action = "pending"   // nothing to write, but somebody else has not delivered yet: an address, a record
)

// Writes tells whether the action changes anything.
func (a Action) Writes() bool {
	return a == Create || a == Configure || a == Replace || a == Delete
}

// done is how an applied action reads in a change line, in kubectl's words.
func (a Action) done() string {
	switch a {
	case Create:
		return "created"
	case Configure:
		return "configured"
	case Replace:
		return "replaced"
	case Delete:
		return "deleted"
	case Pending:
		return "ready"
	default:
		return string(a)
	}
}

// Field is one difference between what was seen and what is wanted.
type Field struct {
	Path string `json:"path"`
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
	// Secret says that the values are not shown; From and To are left empty.
	Secret bool `json:"secret,omitempty"`
}

// Change is the plan for one step. It is part of the documented JSON form of a plan.
type Change struct {
	Action Action `json:"action"`
	// Why explains the action in one line; empty where the fields say it.
	Why string `json:"why,omitempty"`
	// After names the step that has to stand before this one can be observed: "known after release.helm/keycloak". A step
	// that is Blocked by something that this run waits for names it here too.
	After ID `json:"knownAfter,omitempty"`
	// Fields are the differences, sorted by path.
	Fields []Field `json:"fields,omitempty"`
	// Risk says what applying the change may cost, data or a login for instance, and has to be agreed to; empty for nothing.
	Risk string `json:"risk,omitempty"`
	// Fix says what a person has to do when the action is Blocked.
	Fix string `json:"fix,omitempty"`
	// Adopts is set when the thing was made by another party, and the change takes it over.
	Adopts *Adoption `json:"adopts,omitempty"`
}

// Adoption is the taking over of a thing that another party made. It has to be agreed to; what was adopted stays at removal.
type Adoption struct {
	// What the thing is, and who made it.
	What string `json:"what"`
	// Lost is what goes of what is set there, by path; empty for nothing.
	Lost string `json:"lost,omitempty"`
	// Holds is the data in it. Agreeing is not enough then: the step has to be named.
	Holds string `json:"holds,omitempty"`
	// Instead says how to leave it as it is.
	Instead string `json:"instead,omitempty"`
}

func (a *Adoption) text() string {
	if a.Lost == "" {
		return a.What + ", would be taken over; nothing that is set there is lost"
	}
	return a.What + ", would be taken over; of what is set there this is lost: " + a.Lost
}

// consented is the change as far as it may be carried out: what another party made is taken over when the step was named, or
// else agreed to like a risk. What holds data has to be named.
func (c Change) consented(id ID, named bool) Change {
	switch a := c.Adopts; {
	case a == nil || named || !c.Action.Writes():
	case a.Holds != "":
		c.Action, c.Why = Blocked, a.text()+"; it holds "+a.Holds
		c.Fix = fmt.Sprintf("to have it taken over, name it: --adopt %s", id)
		if a.Instead != "" {
			c.Fix = "to leave it as it is, " + a.Instead + "; " + c.Fix
		}
	default:
		c.Risk = strings.TrimPrefix(c.Risk+"; "+a.text(), "; ")
		if a.Instead != "" {
			c.Risk += "; to leave it as it is, " + a.Instead
		}
	}
	return c
}

// needsConsent reports whether carrying out now would do something graver than the printed plan said.
func (c Change) needsConsent(planned Change) bool {
	if c.Risk != "" && (c.Risk != planned.Risk || c.exceeds(planned)) {
		return true
	}
	return (c.Action == Delete || c.Action == Replace) && c.Action != planned.Action
}

// exceeds reports whether the change has a difference that the planned one did not show.
func (c Change) exceeds(planned Change) bool {
	return slices.ContainsFunc(c.Fields, func(f Field) bool { return !slices.Contains(planned.Fields, f) })
}

// overwrites reports whether something that is there gives way to the change.
func (c Change) overwrites() bool {
	return c.Risk != "" || c.Action == Configure || c.Action == Replace || c.Action == Delete
}

// differs reports whether what is to be written is not what the plan showed. Less of it is no difference: what another run or
// a person did meanwhile in the same direction leaves nothing to agree to.
func (c Change) differs(planned Change) bool {
	switch {
	case !c.Action.Writes():
		return c.Action == Blocked
	case c.Risk != "" && c.Why != planned.Why:
		return true
	}
	return c.Action != planned.Action || c.exceeds(planned) || c.needsConsent(planned)
}
