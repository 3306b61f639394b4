package cli

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"granary/internal/client"
	"granary/internal/wire"
)

func newCI(env Env) *cobra.Command {
	cmd := &cobra.Command{Use: "ci", Short: "Run a script as a CI job"}
	cmd.AddCommand(newCIRun(env))
	asGroup(cmd)
	return cmd
}

const ciRunHelp = `Run a command as a CI job of a project: with its own job token, which expires when the
command ends, and with the variables that GitLab sets for its jobs
(CI_API_V4_URL, CI_JOB_TOKEN, CI_PROJECT_ID, CI_PROJECT_PATH, CI_COMMIT_TAG, ...). The
script lines of a .gitlab-ci.yml run unchanged, from cron, Jenkins or a laptop.

In a git work tree, the commit, its branch and its tag are git's, unless flags name
others. The exit code is the command's (128 plus the signal's number if a signal ended
it), or 3 if the command succeeds and the end of the job leaves a draft that it should
have published. The server must be granary.

A project may have the setting generic_package_drafts, which ci run then names: with job,
what the job publishes is a draft until the job succeeds; if it fails, its drafts are
discarded.

Your token needs the role Developer. The command's environment has no GRANARY_ variable
but GRANARY_CA_CERT, so it does not have GRANARY_TOKEN. That is not a security boundary:
the command runs as you, and can read your files (such as granary login's and .netrc) and
the environment of your other processes. Run a script that must not have your token as
another user.`

func newCIRun(env Env) *cobra.Command {
	r := &ciRun{connection: connection{env: env}}
	cmd := &cobra.Command{
		Use:     "run --project PROJECT -- COMMAND [ARGUMENT...]",
		Short:   "Run a command with a job token and GitLab's CI variables",
		Long:    ciRunHelp,
		Example: "  granary ci run --project acme/tools -- sh release.sh",
		Args:    arguments(1, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if r.timeout < time.Second {
				return usagef("--timeout is %s: want a second or more", r.timeout)
			}
			return r.run(cmd.Context(), args)
		},
	}
	r.addFlags(cmd)
	f := cmd.Flags()
	f.SetInterspersed(false) // flags behind the command are its own
	f.StringVar(&r.project, "project", "", "the `project`, its path or id")
	f.StringVar(&r.spec.Name, "name", "job", "the job's `name`")
	f.StringVar(&r.spec.Stage, "stage", "test", "the job's `stage`")
	f.StringVar(&r.branch, "branch", "", "the job's `branch`")
	f.StringVar(&r.tag, "tag", "", "the job's `tag`")
	f.StringVar(&r.spec.SHA, "sha", "", "the job's `commit`")
	r.completeProject(cmd)
	f.DurationVar(&r.timeout, "timeout", time.Hour, "let the token expire after this `duration` at the latest")
	return cmd
}

type ciRun struct {
	connection
	project, branch, tag string
	spec                 client.JobSpec
	timeout              time.Duration
	drafts               string // the project's setting, "" for the server's
}

func (r *ciRun) run(ctx context.Context, command []string) error {
	if r.project == "" {
		return usagef("which project? want --project")
	}
	c, err := r.client()
	if err != nil {
		return err
	}
	if r.project, err = r.connection.project(r.project); err != nil {
		return err
	}
	project, err := c.Project(ctx, r.project)
	if err != nil {
		return advise(err, r.project)
	}
	asked := r.settleCommit(ctx)
	id := strconv.FormatInt(project.ID, 10)
	job, err := c.CreateJob(ctx, id, r.spec)
	if e, ok := errors.AsType[*client.Error](err); ok && (e.Status == http.StatusNotFound || e.Status == http.StatusMethodNotAllowed) {
		return refused("%s cannot create CI jobs: ci run needs granary (%w)", c.Server(), err)
	}
	if err != nil {
		return advise(err, r.project)
	}
	var version string
	if m, err := c.Metadata(ctx); err == nil { // tools look at it; a job without it is still one
		version = m.Version.Version
	}
	r.tellDrafts(project)
	status, err := r.execute(command, r.environ(c, project, job, version))
	left := r.finish(ctx, c, id, job, status)
	if err != nil && asked && r.tag == "" && !r.quiet { // an address with an empty version is not valid
		r.env.notice("CI_COMMIT_TAG was not set: git knows no tag of this commit; --tag names one")
	}
	return cmp.Or(err, left)
}

// settleCommit asks git for what no flag named, and reports whether it did.
func (r *ciRun) settleCommit(ctx context.Context) (asked bool) {
	asked = r.spec.SHA == "" && r.branch == "" && r.tag == ""
	if asked {
		r.spec.SHA = git(ctx, r.env, "rev-parse", "HEAD")
		r.tag, _ = tagOfCommit(ctx, r.env) // one that is no version will do here
		r.branch = git(ctx, r.env, "symbolic-ref", "--short", "HEAD")
	}
	r.spec.Ref, r.spec.Tag = r.branch, r.tag != ""
	if r.spec.Tag {
		r.spec.Ref = r.tag
	}
	r.spec.Timeout = int(r.timeout / time.Second)
	return asked
}

// environ is the caller's environment with GitLab's variables, and without what
// is granary's: the server that a job asks is that of CI_API_V4_URL.
func (r *ciRun) environ(c *client.Client, p wire.Project, job wire.Job, version string) []string {
	api, _ := url.Parse(c.API()) // it was made of one
	dir, _ := os.Getwd()         // "" is left out
	authorities, _ := authoritiesFile(r.env, r.caCert)
	if absolute, err := filepath.Abs(authorities); err == nil && authorities != "" {
		authorities = absolute // the command may go elsewhere
	}
	id := func(n int64) string { return strconv.FormatInt(n, 10) }
	vars := map[string]string{
		"CI": "true", "GITLAB_CI": "true", "CI_SERVER": "yes",
		"CI_API_V4_URL": c.API(), "CI_JOB_TOKEN": job.Token,
		"CI_SERVER_URL": c.Server(), "CI_SERVER_HOST": api.Hostname(), "CI_SERVER_FQDN": api.Host, "CI_SERVER_PORT": portOf(api),
		"CI_SERVER_TLS_CA_FILE": authorities,
		"CI_SERVER_PROTOCOL":    api.Scheme, "CI_SERVER_VERSION": version,
		"CI_JOB_ID": id(job.ID), "CI_JOB_NAME": job.Name, "CI_JOB_STAGE": job.Stage, "CI_JOB_URL": job.WebURL,
		"CI_JOB_STARTED_AT": time.Time(job.StartedAt).UTC().Format(time.RFC3339), "CI_JOB_TIMEOUT": strconv.Itoa(r.spec.Timeout),
		"CI_PIPELINE_ID": id(job.Pipeline.ID), "CI_PIPELINE_SOURCE": "api",
		"CI_PROJECT_ID": id(p.ID), "CI_PROJECT_PATH": p.PathWithNamespace, "CI_PROJECT_NAME": p.Path, "CI_PROJECT_TITLE": p.Name,
		"CI_PROJECT_NAMESPACE": p.Namespace.FullPath, "CI_PROJECT_PATH_SLUG": slug(p.PathWithNamespace), "CI_PROJECT_URL": p.WebURL,
		"CI_PROJECT_VISIBILITY": p.Visibility, "CI_PROJECT_DIR": dir, "CI_DEFAULT_BRANCH": p.DefaultBranch,
		"CI_COMMIT_SHA": r.spec.SHA, "CI_COMMIT_SHORT_SHA": r.spec.SHA[:min(8, len(r.spec.SHA))],
		"CI_COMMIT_REF_NAME": r.spec.Ref, "CI_COMMIT_REF_SLUG": slug(r.spec.Ref), "CI_COMMIT_TAG": r.tag, "CI_COMMIT_BRANCH": "",
		"GITLAB_USER_ID": id(job.User.ID), "GITLAB_USER_LOGIN": job.User.Username, "GITLAB_USER_NAME": job.User.Name,
	}
	if !r.spec.Tag { // GitLab sets one of both
		vars["CI_COMMIT_BRANCH"] = r.spec.Ref
	}
	environ := slices.DeleteFunc(withoutSecrets(r.env.Environ), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		_, ours := vars[name]
		return ours
	})
	for name, value := range vars {
		if value != "" {
			environ = append(environ, name+"="+value)
		}
	}
	slices.Sort(environ)
	return environ
}

// slug is a name as GitLab makes it fit for addresses.
func slug(name string) string {
	text := regexp.MustCompile(`[^a-z0-9]`).ReplaceAllString(strings.ToLower(name), "-")
	return strings.Trim(text[:min(63, len(text))], "-")
}

// execute runs the command to its end, whatever signal arrives meanwhile, and
// says what became of the job.
func (r *ciRun) execute(command, environ []string) (status string, err error) {
	cmd := exec.Command(command[0], command[1:]...) //nolint:noctx // signals are passed on to it; nothing else ends it
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = environ, r.env.Stdin, raw(r.env.Stdout), raw(r.env.Stderr)
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)
	if err := cmd.Start(); err != nil {
		return "failed", err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	status = "failed"
	for {
		select {
		case s := <-signals:
			status = "canceled"
			if _, ok := terminal(r.env.Stdin); !ok || s != os.Interrupt { // a terminal has sent Ctrl-C to the command already
				_ = cmd.Process.Signal(s) // it may have ended by now
			}
		case err := <-ended:
			if err == nil {
				return "success", nil
			}
			if e, ok := errors.AsType[*exec.ExitError](err); ok {
				return status, exitError{errors.New(""), childCode(e)}
			}
			return status, err
		}
	}
}

// childCode is the command's exit code as in a shell.
func childCode(e *exec.ExitError) int {
	if s, ok := e.Sys().(syscall.WaitStatus); ok && s.Signaled() {
		return 128 + int(s.Signal())
	}
	return e.ExitCode()
}
