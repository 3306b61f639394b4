package daemon

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"granary/internal/blob/s3/s3test"
)

// inS3 is the settings for blobs in the server's bucket.
func inS3(srv *s3test.Server) (environ []string, place string) {
	return []string{asRoot, "GRANARY_S3_ACCESS_KEY_ID=" + s3test.AccessKeyID, "GRANARY_S3_SECRET_ACCESS_KEY=" + s3test.SecretAccessKey},
		"--blobs=s3://" + s3test.Bucket + "/some/prefix?endpoint=" + srv.URL + "&region=" + s3test.Region
}

// TestS3Away: SQLite with S3. While the store is away publishing and installing
// are a 503 that says when to come back, nothing is visible of what failed, and
// what the database keeps is still served. When the store is back, so is all of
// it, without a hand.
func TestS3Away(t *testing.T) {
	t.Parallel()
	srv, data := s3test.Start(t), t.TempDir()
	environ, place := inS3(srv)
	url, stop := serveHere(t, environ, "--data-dir="+data, place)
	defer stop()
	large, other := strings.Repeat("0123456789", 100_000), strings.Repeat("9876543210", 100_000)
	file, lost, small := url+demoFiles+"a/1.0.0/large", url+demoFiles+"a/1.0.0/lost", url+demoFiles+"a/1.0.0/small"
	want := func(method, url, body string, status int, text string) {
		t.Helper()
		resp, got := ask(t, method, url, strings.NewReader(body))
		if resp.StatusCode != status || text != "" && got != text || status == http.StatusServiceUnavailable && !strings.Contains(url, "readiness") && resp.Header.Get("Retry-After") == "" {
			t.Errorf("%s %s: %s, Retry-After %q, %.100q", method, url, resp.Status, resp.Header.Get("Retry-After"), got)
		}
	}
	const unavailable = `{"message":"503 Service Unavailable"}`
	want("PUT", file, large, 201, "")
	want("PUT", small, "small", 201, "")
	for range 2 {
		srv.Stop()
		want("GET", url+"/-/readiness", "", 503, `{"status":"failed","message":"the blob store does not answer"}`)
		want("GET", url+"/-/liveness", "", 200, "")
		want("PUT", lost, other, 503, unavailable)
		want("GET", file, "", 503, unavailable)
		want("GET", small, "", 200, "small")
		want("GET", lost, "", 404, "")
		srv.Start(t)
		want("GET", url+"/-/readiness", "", 200, "")
		want("GET", file, "", 200, large)
		want("GET", lost, "", 404, "")
	}
	want("PUT", lost, other, 201, "")
	want("GET", lost, "", 200, other)
	if _, err := os.Stat(filepath.Join(data, "blobs")); !os.IsNotExist(err) {
		t.Errorf("blobs in the data directory: %v", err)
	}
	if found, err := filepath.Glob(filepath.Join(srv.Dir, s3test.Bucket, "some", "prefix", "??", "*")); err != nil || len(found) != 2 {
		t.Errorf("in the bucket: %q, %v", found, err)
	}
}

// TestS3Redirect: the setting reaches the answers, and a request with its
// credential in a header stays here.
func TestS3Redirect(t *testing.T) {
	srv := s3test.Start(t)
	environ, place := inS3(srv)
	url, stop := serveHere(t, environ, "--data-dir="+t.TempDir(), place, "--blobs-redirect=safe")
	defer stop()
	file := url + demoFiles + "a/1.0.0/large"
	ask(t, "PUT", file, strings.NewReader(strings.Repeat("x", 100_000)))
	for query, want := range map[string]string{"": url, "?private_token=" + rootToken: srv.URL} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", file+query, nil)
		if err != nil {
			t.Fatal(err)
		}
		if query == "" {
			req.Header.Set("Private-Token", rootToken)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if from := resp.Request.URL.Scheme + "://" + resp.Request.URL.Host; from != want || resp.StatusCode != 200 || resp.ContentLength != 100_000 {
			t.Errorf("%q: %s, %d bytes from %s, want %s", query, resp.Status, resp.ContentLength, from, want)
		}
	}
}

// TestS3Refused: a bucket that cannot be used is told at the start, on one line.
func TestS3Refused(t *testing.T) {
	srv := s3test.Start(t)
	t.Setenv("AWS_ACCESS_KEY_ID", s3test.AccessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", s3test.SecretAccessKey)
	for place, want := range map[string]string{
		"s3://nowhere?endpoint=" + srv.URL:             `cannot open the blob store: there is no bucket "nowhere" at ` + srv.URL + "; create it, or correct the setting blobs",
		"s3://granary?endpoint=http://127.0.0.1:1":     "cannot open the blob store: no answer from http://127.0.0.1:1: ",
		"s3://granary?region=eu-9&endpoint=" + srv.URL: `cannot open the blob store: the bucket "granary" is in another region`,
	} {
		if got := refused(t, "--data-dir="+t.TempDir(), "--blobs="+place); !strings.HasPrefix(got, want) || strings.Contains(got, "\n") {
			t.Errorf("%s: %s", place, got)
		}
	}
	// With the usual chain alone it starts.
	place := "--blobs=s3://granary?endpoint=" + srv.URL
	_, stop := serveHere(t, nil, "--data-dir="+t.TempDir(), place)
	stop()
	// Records are nobody else's: a bucket that strangers may list gets none.
	srv.LetAnyoneList(t)
	data := t.TempDir()
	bucket := "--blobs=s3://granary/open?endpoint=" + srv.URL
	if got := refused(t, "--data-dir="+data, bucket); !strings.HasPrefix(got, "anyone may list s3://granary/open") || !strings.Contains(got, "records-every") {
		t.Error(got)
	}
	_, stop = serveHere(t, nil, "--data-dir="+data, bucket, "--records-every=0")
	stop()
}

// TestRedirectLifetime: a signed link holds as long as the setting says, an hour by
// default.
func TestRedirectLifetime(t *testing.T) {
	srv := s3test.Start(t)
	environ, place := inS3(srv)
	data := t.TempDir()
	for flag, want := range map[string]string{"": "3600", "--blobs-redirect-lifetime=1m": "60", "--blobs-redirect-lifetime=168h": "604800"} {
		args := []string{"--data-dir=" + data, place, "--blobs-redirect=safe"}
		if flag != "" {
			args = append(args, flag)
		}
		url, stop := serveHere(t, environ, args...)
		file := url + demoFiles + "a/1.0.0/large"
		ask(t, "PUT", file, strings.NewReader(strings.Repeat("x", 100_000)))
		resp, err := http.Get(file + "?private_token=" + rootToken)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := resp.Request.URL.Query().Get("X-Amz-Expires"); resp.StatusCode != 200 || got != want {
			t.Errorf("%s: %s, a link for %q seconds, want %s", flag, resp.Status, got, want)
		}
		stop()
	}
}
