package registry

import (
	"context"
	"strings"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/versions"
)

// Channel is a name that leads to one version of a package, such as stable.
type Channel struct {
	ProjectID int64
	Package   Name
	Name      string // without the @ of addresses
	Version   Version
	MovedAt   time.Time
}

// title names a channel in audit events: "tool/@stable".
func (c Channel) title() string { return string(c.Package) + "/@" + c.Name }

// ChannelMove is where a channel is to lead.
type ChannelMove struct {
	Version string
	If      *string // the version that it must lead to now, "*" for any; nil for any or none
	OnlyNew bool    // there must be no such channel
}

// MoveChannel makes a channel lead to a version, and makes the channel if it is new.
// Absent if there is no such version. Conflict if it is hidden or yanked: no selector
// may lead there. Precondition if the channel leads elsewhere than If says.
func (r *Registry) MoveChannel(ctx context.Context, a access.Actor, project string, raw Raw, m ChannelMove) (v WholeVersion, isNew bool, err error) {
	p, c, err := r.channel(ctx, a, project, raw)
	if err != nil {
		return v, false, err
	}
	if m.Version == "" {
		return v, false, fault.New(fault.Invalid, "version is missing")
	}
	c.Version, c.MovedAt = Version(m.Version), r.Now()
	to, isNew, err := r.Records.MoveChannel(ctx, c, r.limits().Channels, func(before *Channel, to PackageVersion) (audit.Event, error) {
		from := ""
		if before != nil {
			from = string(before.Version)
		}
		done := audit.New(a, audit.PackageChannelSet, c.MovedAt, p.entity()).To("Package", to.ID, c.title())
		return done.With("version", from, string(to.Version)), checkMove(m, from, to)
	})
	if err != nil {
		return v, false, noVersion(err, c.Package, c.Version)
	}
	v, err = r.changed(ctx, p, to)
	return v, isNew, err
}

// checkMove refuses a move that its condition forbids, or to a version that no selector
// may choose.
func checkMove(m ChannelMove, from string, to PackageVersion) error {
	switch {
	case m.If != nil && from == "":
		return fault.New(fault.Precondition, "there is no such channel")
	case m.If != nil && *m.If != "*" && *m.If != from, m.OnlyNew && from != "":
		return fault.New(fault.Precondition, "the channel leads to "+from)
	case to.YankedAt != nil:
		return conflict(to.words() + " is yanked; a channel cannot lead to it")
	case !to.Status.Shown():
		return conflict(to.words() + " is " + string(to.Status) + "; a channel cannot lead to it")
	}
	return nil
}

// RemoveChannel removes a channel; the version stays. Absent if there is none.
// Precondition if it does not lead to the version from; "" for any.
func (r *Registry) RemoveChannel(ctx context.Context, a access.Actor, project string, raw Raw, from string) error {
	p, c, err := r.channel(ctx, a, project, raw)
	if err != nil {
		return err
	}
	now := r.Now()
	err = r.Records.RemoveChannel(ctx, c, func(was Channel) (audit.Event, error) {
		done := audit.New(a, audit.PackageChannelRemoved, now, p.entity()).To("Package", 0, c.title())
		done = done.With("version", string(was.Version), "")
		if from != "" && from != string(was.Version) {
			return done, fault.New(fault.Precondition, "the channel leads to "+string(was.Version))
		}
		return done, nil
	})
	if fault.Is(err, fault.NotFound) {
		return fault.New(fault.Absent, "404 Not Found - "+string(c.Package)+" has no channel @"+c.Name)
	}
	return err
}

// channel is the channel of an address, for an actor that may publish the package: who
// may publish a version may say which one is stable.
func (r *Registry) channel(ctx context.Context, a access.Actor, project string, raw Raw) (Project, Channel, error) {
	raw.Whole, raw.Selector = true, strings.HasPrefix(raw.Version, "@")
	p, c, err := r.target(ctx, a, project, raw, access.PublishPackage, nil)
	if err != nil {
		return p, Channel{}, err
	}
	s, ok := versions.ParseSelector(raw.Version)
	if !ok || s.Channel == "" {
		return p, Channel{}, fault.New(fault.Invalid, "channel is invalid, want @ and a lower case letter, then up to 62 lower case letters, digits and hyphens")
	}
	return p, Channel{ProjectID: p.ProjectID, Package: c.Name, Name: s.Channel}, checkProtection(p, a, c.Name)
}

// leadingTo is the names of the channels that lead to a version.
func leadingTo(v Version, channels []Channel) (names []string) {
	for _, c := range channels {
		if c.Version == v {
			names = append(names, c.Name)
		}
	}
	return names
}

// noChannel says why a channel led nowhere.
func (r *Registry) noChannel(ctx context.Context, at *readAt) error {
	all, err := r.Records.ListChannels(ctx, at.ProjectID, at.Name)
	if err != nil {
		return err
	}
	text := string(at.Name) + " has no channel " + string(at.Version)
	for _, c := range all {
		if c.Name == at.selector.Channel {
			text = string(at.Version) + " is " + string(c.Version) + ", which is deleted, hidden or yanked"
		}
	}
	return fault.New(fault.Absent, "404 Not Found - "+text)
}
