package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.yaml.in/yaml/v3"
)

// runner runs the jobs of a .gitlab-ci.yml as GitLab's runner does: each in a copy of the
// directory, with a job token of its own, and with the artifacts of the jobs before it;
// the jobs of a stage at the same time. A job's lines are one script, which ends at the
// first that fails.
type runner struct {
	*ciProject
	source    string // the directory
	file      pipelineFile
	environ   []string
	artifacts string // a directory
	bin       string // programs that the jobs' image has
}

type pipelineFile struct {
	Stages    []string
	Variables map[string]string
	Default   struct {
		BeforeScript []string `yaml:"before_script"`
		Image        string
	}
	Jobs map[string]pipelineJob `yaml:",inline"`
}

type pipelineJob struct {
	Stage     string
	Script    []string
	Artifacts struct{ Paths []string }
}

func (p *ciProject) runner(source, name string, environ ...string) *runner {
	p.t.Helper()
	r := &runner{ciProject: p, source: source, environ: environ, artifacts: p.t.TempDir(), bin: p.t.TempDir()}
	text, err := os.ReadFile(filepath.Join(source, name))
	if err != nil {
		p.t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &r.file); err != nil {
		p.t.Fatal(err)
	}
	if len(r.file.Stages) < 2 || len(r.file.Jobs) < 3 {
		p.t.Fatalf("%s has stages %q and %d jobs", name, r.file.Stages, len(r.file.Jobs))
	}
	// Alpine's apk installs what is there on this machine.
	write(p.t, r.bin, "apk", []byte("#!/bin/sh\n[ \"$1 $2\" = 'add --no-cache' ]\n"))
	if err := os.Chmod(filepath.Join(r.bin, "apk"), 0o755); err != nil {
		p.t.Fatal(err)
	}
	return r
}

// withGranary gives the jobs granary's client.
func (r *runner) withGranary() *runner {
	r.t.Helper()
	if out, err := exec.CommandContext(r.t.Context(), "go", "build", "-o", filepath.Join(r.bin, "granary"), "../cmd/granary").CombinedOutput(); err != nil {
		r.t.Fatalf("%v\n%s", err, out)
	}
	return r
}

// execute runs one job, and returns what it said. Its artifacts are kept even if it fails.
func (r *runner) execute(t *testing.T, name string) (string, error) {
	job := r.file.Jobs[name]
	dir := t.TempDir()
	for _, from := range []string{r.source, r.artifacts} {
		if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
	}
	lines := slices.Concat(r.file.Default.BeforeScript, job.Script)
	cmd := exec.CommandContext(t.Context(), "bash", "-eo", "pipefail", "-c", strings.Join(lines, "\n"))
	cmd.Dir = dir
	token := r.do("POST", "/projects/"+r.id+"/jobs", nil, 201)["token"].(string)
	cmd.Env = []string{
		"PATH=" + r.bin + ":" + os.Getenv("PATH"), "HOME=" + dir, "NO_PROXY=*", "no_proxy=*", "CI=true",
		"CI_API_V4_URL=" + r.url, "CI_PROJECT_ID=" + r.id, "CI_JOB_TOKEN=" + token, "CI_JOB_NAME=" + name,
	}
	for key, value := range r.file.Variables {
		cmd.Env = append(cmd.Env, key+"="+value)
	}
	cmd.Env = append(cmd.Env, r.environ...)
	out, err := cmd.CombinedOutput()
	for _, path := range job.Artifacts.Paths {
		if data, err := os.ReadFile(filepath.Join(dir, path)); err == nil {
			write(t, r.artifacts, path, data)
		}
	}
	return string(out), err
}

// job runs one job, which must pass.
func (r *runner) job(name string) {
	r.t.Helper()
	if out, err := r.execute(r.t, name); err != nil {
		r.t.Fatalf("job %s: %v\n%s", name, err, out)
	}
}

// stage runs the jobs of a stage, and returns what those said that failed.
func (r *runner) stage(stage string) map[string]string {
	failed := map[string]string{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for name, job := range r.file.Jobs {
		if job.Stage == stage {
			all.Go(func() {
				if out, err := r.execute(r.t, name); err != nil {
					mu.Lock()
					defer mu.Unlock()
					failed[name] = out + err.Error()
				}
			})
		}
	}
	all.Wait()
	return failed
}

// passes runs the pipeline, which must pass.
func (r *runner) passes() {
	r.t.Helper()
	for _, stage := range r.file.Stages {
		if failed := r.stage(stage); len(failed) > 0 {
			r.t.Fatalf("stage %s: %v", stage, failed)
		}
	}
}

// fails runs the pipeline, which must fail in one job, with these words.
func (r *runner) fails(job, words string) {
	r.t.Helper()
	for _, stage := range r.file.Stages {
		if failed := r.stage(stage); len(failed) > 0 {
			if len(failed) != 1 || !strings.Contains(failed[job], words) {
				r.t.Fatalf("want that %s fails with %q: %v", job, words, failed)
			}
			return
		}
	}
	r.t.Fatal("the pipeline passes")
}
