package e2e_test

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestOpenAPIDocument: the document is OpenAPI 3.1, says the specification's own
// schema. Whether it is true, the tests of internal/api say.
func TestOpenAPIDocument(t *testing.T) {
	t.Parallel()
	validator := filepath.Join(nodeModule(t, "@seriousme/openapi-schema-validator"), "bin/validate-api-cli.js")
	resp, err := http.Get(startServer(t) + "/api/v4/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "openapi.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if text, err := exec.CommandContext(t.Context(), node(t), validator, file).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
}
