package ui

import (
	"cmp"
	"errors"

	"granary/internal/fault"
	"granary/internal/registry"
)

// deed does something to the version of the path, and leads back to its page.
func (v *visit) deed(word string, do func(project string, raw registry.Raw) error) error {
	name, version := v.values["name"], v.values["version"]
	if err := do(number(v.project.ID), registry.Raw{Name: name, Version: version}); err != nil {
		return v.again(func(v *visit) error { return v.showVersion(version) }, err)
	}
	return v.see(v.s.in(v.project.FullPath, "packages", "generic", name, version), word)
}

// finaliseVersion makes the version final, with the files that the page showed.
func finaliseVersion(v *visit) error {
	return v.deed("finalised", func(project string, raw registry.Raw) error {
		shown, err := registry.ParseDigest(v.sent("manifest"))
		if err != nil {
			return fault.Wrap(fault.Invalid, "manifest must be the SHA-256 of the files that the page showed", err)
		}
		_, _, err = v.s.Registry.FinaliseVersion(v.r.Context(), v.actor, project, raw, registry.FinaliseOptions{Manifest: &shown})
		if _, other := errors.AsType[*registry.UnexpectedError](err); other {
			return fault.Wrap(fault.Precondition, "", err)
		}
		return err
	})
}

// moveChannel makes a channel lead to the version.
func moveChannel(v *visit) error {
	return v.deed("moved", func(project string, raw registry.Raw) error {
		if v.sent("channel") == "" {
			return fault.Field("channel", "is missing: a name such as stable")
		}
		at := registry.Raw{Name: raw.Name, Version: "@" + v.sent("channel")}
		_, _, err := v.s.Registry.MoveChannel(v.r.Context(), v.actor, project, at, registry.ChannelMove{Version: raw.Version})
		return err
	})
}

// removeChannel removes a channel if it still leads to the version.
func removeChannel(v *visit) error {
	return v.deed("removed", func(project string, raw registry.Raw) error {
		return v.s.Registry.RemoveChannel(v.r.Context(), v.actor, project, registry.Raw{Name: raw.Name, Version: "@" + v.sent("channel")}, raw.Version)
	})
}

// editVersion yanks, deprecates or hides the version, or undoes that.
func editVersion(v *visit) error {
	word := "saved"
	var edit registry.VersionEdit
	yes, no, reason := true, false, v.sent("reason")
	switch what := v.sent("do"); what {
	case "yank":
		word, edit.Yanked, edit.Reason = "yanked", &yes, &reason
	case "unyank":
		word, edit.Yanked = "unyanked", &no
	case "deprecate":
		text := cmp.Or(v.sent("message"), "deprecated")
		edit.Deprecated = &text
	case "undeprecate":
		text := ""
		edit.Deprecated = &text
	case "hide", "show":
		status := map[string]registry.Status{"hide": registry.StatusHidden, "show": registry.StatusDefault}[what]
		edit.Status = &status
	default:
		return fault.New(fault.Invalid, "do must be yank, unyank, deprecate, undeprecate, hide or show")
	}
	return v.deed(word, func(project string, raw registry.Raw) error {
		_, err := v.s.Registry.EditVersion(v.r.Context(), v.actor, project, raw, edit)
		return err
	})
}
