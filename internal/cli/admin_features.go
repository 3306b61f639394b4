package cli

import (
	"context"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"granary/internal/wire"
)

func (a *admin) featureList() *cobra.Command {
	return a.command("list", "List the flags that are set", 0, func(ctx context.Context, _ []string) error {
		found := []wire.Feature{}
		if err := a.call(ctx, http.MethodGet, "/features", nil, &found); err != nil {
			return err
		}
		return a.printFeatures(found, found...)
	})
}

func (a *admin) featureSet() *cobra.Command {
	var project string
	cmd := a.command("set FLAG on|off", "Turn a flag on or off, such as generic_packages, everywhere or for one project", 2,
		func(ctx context.Context, args []string) error {
			value, known := map[string]string{"on": "true", "off": "false"}[args[1]]
			if !known {
				return usagef("the value is %q: want on or off", args[1])
			}
			form := given(url.Values{"value": {value}, "project": {project}})
			var set wire.Feature
			if err := a.call(ctx, http.MethodPost, named("features", args[0]), form, &set); err != nil {
				return err
			}
			return a.printFeatures(set, set)
		})
	cmd.Flags().StringVar(&project, "project", "", "for this `project` only, by its full path")
	return cmd
}

func (a *admin) printFeatures(result any, flags ...wire.Feature) error {
	return a.print(result, func(out *printer) {
		for _, f := range flags {
			out.printf("%s\t%s", f.Name, f.State)
			for _, g := range f.Gates {
				out.printf("\t%s: %v", g.Key, g.Value)
			}
			out.printf("\n")
		}
	})
}
