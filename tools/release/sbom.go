package main

import (
	"os"
	"path/filepath"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/CycloneDX/cyclonedx-gomod/pkg/generate/bin"
	"github.com/rs/zerolog"
)

// writeSBOM lists the modules of a program, and Go's own, as CycloneDX has it, from what the
// program says it is made of. There is neither a serial number nor a time in it: they would
// differ each time.
func (r *release) writeSBOM(p parts) error {
	generator, err := bin.NewGenerator(p.program, bin.WithLogger(zerolog.Nop()),
		bin.WithVersionOverride(r.version), bin.WithIncludeStdlib(true))
	if err != nil {
		return err
	}
	bom, err := generator.Generate()
	if err != nil {
		return err
	}
	file, err := os.Create(filepath.Join(r.out, r.stem(p.target)+".cdx.json"))
	if err != nil {
		return err
	}
	defer file.Close()
	if err := cdx.NewBOMEncoder(file, cdx.BOMFileFormatJSON).SetPretty(true).Encode(bom); err != nil {
		return err
	}
	return file.Close()
}
