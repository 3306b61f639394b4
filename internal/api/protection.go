package api

import (
	"granary/internal/access"
	"granary/internal/registry"
	"granary/internal/wire"
)

// protectionLevels maps the words of the wire to the roles that a rule may require.
func protectionLevels() map[string]access.Role {
	return map[string]access.Role{"maintainer": access.Maintainer, "owner": access.Owner, "admin": access.Admin}
}

// protectionChange reads the changes of a rule: only what was sent.
func (c *call) protectionChange() func(*registry.ProtectionRule) {
	p := c.params
	pattern := p.record().optional("package_name_pattern")
	kind := p.choice("package_type", "conan", packageType, "helm", "maven", "npm", "nuget", "pypi")
	push := p.choice("minimum_access_level_for_push", "maintainer", "owner", "admin")
	del := p.choice("minimum_access_level_for_delete", "owner", "admin")
	return func(rule *registry.ProtectionRule) {
		if pattern != nil {
			rule.Pattern = *pattern
		}
		if kind != "" {
			rule.PackageType = kind
		}
		if p.has("minimum_access_level_for_push") {
			rule.Push = protectionLevels()[push] // null and "" remove the level
		}
		if p.has("minimum_access_level_for_delete") {
			rule.Delete = protectionLevels()[del]
		}
	}
}

func listProtectionRules(c *call) error {
	ask := c.page(false)
	if err := c.params.err(); err != nil {
		return err
	}
	found, err := c.s.Registry.ListProtectionRules(c.r.Context(), c.actor, c.path("id"), ask)
	return listed(c, ask, found, err, protectionRule)
}

func createProtectionRule(c *call) error {
	c.params.record().required("package_name_pattern")
	if c.params.required("package_type") == "" && c.params.has("package_type") {
		c.params.fail("package_type does not have a valid value")
	}
	var rule registry.ProtectionRule
	c.protectionChange()(&rule)
	if err := c.params.err(); err != nil {
		return err
	}
	rule, err := c.s.Registry.CreateProtectionRule(c.r.Context(), c.actor, c.path("id"), rule)
	if err != nil {
		return err
	}
	return c.created(protectionRule(rule))
}

func editProtectionRule(c *call) error {
	id, err := c.id("package_protection_rule_id")
	if err != nil {
		return err
	}
	change := c.protectionChange()
	if err := c.params.err(); err != nil {
		return err
	}
	rule, err := c.s.Registry.EditProtectionRule(c.r.Context(), c.actor, c.path("id"), id, change)
	if err != nil {
		return err
	}
	return c.ok(protectionRule(rule))
}

func deleteProtectionRule(c *call) error {
	id, err := c.id("package_protection_rule_id")
	if err != nil {
		return err
	}
	if err := c.s.Registry.DeleteProtectionRule(c.r.Context(), c.actor, c.path("id"), id); err != nil {
		return err
	}
	return c.noContent()
}

func protectionRule(rule registry.ProtectionRule) wire.ProtectionRule {
	return wire.ProtectionRule{
		ID: rule.ID, ProjectID: rule.ProjectID, PackageNamePattern: rule.Pattern, PackageType: rule.PackageType,
		MinimumAccessLevelForPush: protectionLevel(rule.Push), MinimumAccessLevelForDelete: protectionLevel(rule.Delete),
	}
}

// protectionLevel is a role as a word of the wire, nil for none.
func protectionLevel(role access.Role) *string {
	for name, r := range protectionLevels() {
		if r == role {
			return &name
		}
	}
	return nil
}
