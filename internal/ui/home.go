package ui

// showHome is the dashboard.
func showHome(v *visit) error {
	return v.show(screen{name: "home", title: "Home"})
}
