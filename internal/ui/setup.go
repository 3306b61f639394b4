package ui

// showSetUp is how to publish and install here, with this project's address.
func showSetUp(v *visit) error {
	t := v.publishing("tool", "1.0.0", "tool.tar.gz")
	t.Heading = "Publish"
	return v.show(screen{name: "setup", title: "How to publish · " + v.project.FullPath, tab: "packages", crumbs: v.packageCrumbs(), data: t})
}
