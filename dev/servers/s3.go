package servers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
)

// What every S3 server takes.
const (
	Bucket          = "granary"
	AccessKeyID     = "test-access-key"
	SecretAccessKey = "test-secret-key" //nolint:gosec // of a server on loopback that is gone afterwards
	Region          = "us-east-1"
)

// S3 is an S3-compatible server over a folder. It verifies signatures and
// digests as Amazon does.
type S3 struct {
	*Process
	URL string // http://127.0.0.1:PORT, the same after every Start
	Dir string // the directory of the bucket's folder
}

// NewS3 prepares a server of the make given, versitygw or minio, with an empty
// bucket in dir.
func NewS3(ctx context.Context, maker, dir string) (*S3, error) {
	module, known := map[string]string{"versitygw": "github.com/versity/versitygw", "minio": "github.com/minio/minio"}[maker]
	if !known {
		return nil, fmt.Errorf("%q is no S3 server that make builds", maker)
	}
	program, err := Built(maker, module)
	if err != nil {
		return nil, err
	}
	address, err := FreeAddress(ctx)
	if err != nil {
		return nil, err
	}
	s := &S3{URL: "http://" + address, Dir: filepath.Join(dir, "objects")}
	if err := os.MkdirAll(filepath.Join(s.Dir, Bucket), 0o700); err != nil {
		return nil, err
	}
	s.Process = &Process{Name: maker, Log: filepath.Join(dir, "log"), Ready: Answers(s.URL + "/")}
	if maker == "minio" {
		s.Args = []string{program, "server", "--quiet", "--address", address, s.Dir}
		s.Env = []string{"MINIO_ROOT_USER=" + AccessKeyID, "MINIO_ROOT_PASSWORD=" + SecretAccessKey, "MINIO_BROWSER=off", "MINIO_UPDATE=off"}
	} else {
		s.Args = []string{program, "--port", address, "--keep-alive", "--quiet", "posix", s.Dir}
		s.Env = []string{"ROOT_ACCESS_KEY=" + AccessKeyID, "ROOT_SECRET_KEY=" + SecretAccessKey}
	}
	return s, nil
}

// Built is the program that make built of the module, at the version that
// tools/<name>/go.mod asks for.
func Built(name, module string) (string, error) {
	root, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(root, "tools", name, "go.mod")); err == nil {
			break
		}
		if root == filepath.Dir(root) {
			return "", errors.New("there is no tools/" + name + " here or above")
		}
		root = filepath.Dir(root)
	}
	text, err := os.ReadFile(filepath.Join(root, "tools", name, "go.mod"))
	if err != nil {
		return "", err
	}
	version := regexp.MustCompile(`\s` + regexp.QuoteMeta(module) + ` (v\S+)`).FindSubmatch(text)
	if version == nil {
		return "", fmt.Errorf("tools/%s/go.mod does not ask for %s", name, module)
	}
	program := filepath.Join(root, ".cache", "bin", name+"-"+string(version[1]))
	if _, err := os.Stat(program); err != nil {
		return "", fmt.Errorf("%s is not built: run `make %[1]s` (%[2]w)", name, err)
	}
	return program, nil
}
