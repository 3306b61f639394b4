package cli

import (
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// mayBeEmpty marks a flag whose empty value means something.
const mayBeEmpty = "granary-may-be-empty"

// allowEmpty marks such flags.
func allowEmpty(f *pflag.FlagSet, names ...string) {
	for _, name := range names {
		_ = f.SetAnnotation(name, mayBeEmpty, nil) // it fails for no flag alone
	}
}

// refuseEmpty refuses flags of any command that are given without a value: a variable
// of the caller that is not set would have the command ask another server, or do more
// than was meant.
func refuseEmpty(cmd *cobra.Command, _ []string) (err error) {
	cmd.Flags().Visit(func(f *pflag.Flag) {
		_, may := f.Annotations[mayBeEmpty]
		if err == nil && !may && isEmpty(f.Value) {
			err = usagef("--%s is empty: is its variable set? leave --%s out if it is not needed", f.Name, f.Name)
		}
	})
	return err
}

func isEmpty(v pflag.Value) bool {
	if list, ok := v.(pflag.SliceValue); ok {
		values := list.GetSlice()
		return len(values) == 0 || slices.Contains(values, "")
	}
	return v.Type() == "string" && v.String() == ""
}
