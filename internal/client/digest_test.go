package client_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"granary/internal/client"
)

// A digest that a server writes with capitals is the same digest, wherever it tells it.
func TestDigestInCapitals(t *testing.T) {
	s := &store{data: randomBytes(100)}
	sum := sumOf(s.data)
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPut:
			_, _ = io.Copy(io.Discard, r.Body)
			fmt.Fprintf(w, `{"file_sha256":%q}`, strings.ToUpper(sum))
		case strings.HasSuffix(r.URL.Path, "/package_files"):
			fmt.Fprintf(w, `[{"id":1,"file_name":"dir%%2Fa b.txt","size":100,"file_sha256":%q}]`, strings.ToUpper(sum))
		default:
			w.Header().Set("X-Checksum-SHA256", strings.ToUpper(sum))
			s.ServeHTTP(w, r)
		}
	})
	if stored, err := c.Publish(t.Context(), upload(s.data)); err != nil || !stored.Confirmed || stored.SHA256 != sum {
		t.Errorf("published: %+v %v", stored, err)
	}
	if f, err := c.Stat(t.Context(), file()); err != nil || f.SHA256 != sum {
		t.Errorf("asked for: %+v %v", f, err)
	}
	var got bytes.Buffer
	if verified, err := c.Copy(t.Context(), file(), client.File{Size: -1}, &got, nil); err != nil || !verified {
		t.Errorf("by the header: %v %v", verified, err)
	}
	files, err := c.Files(t.Context(), "group/project", 1)
	if err != nil || len(files) != 1 || files[0].SHA256 != sum {
		t.Fatalf("%+v %v", files, err)
	}
	d, dir := download(t, s)
	d.File = files[0]
	if verified, err := c.Download(t.Context(), d); err != nil || !verified {
		t.Errorf("by the list: %v %v", verified, err)
	}
	holds(t, dir, s.data)
}

// What is no digest counts as none, wherever a server tells it.
func TestDigestThatIsNone(t *testing.T) {
	data := randomBytes(100)
	for _, told := range []string{"zz?]0;title", sumOf(data)[1:], sumOf(data) + "00", "z" + sumOf(data)[1:]} {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Method == http.MethodPut:
				_, _ = io.Copy(io.Discard, r.Body)
				fmt.Fprintf(w, `{"file_sha256":%q}`, told)
			case strings.HasSuffix(r.URL.Path, "/package_files"):
				fmt.Fprintf(w, `[{"id":1,"file_name":"a","size":100,"file_sha256":%q}]`, told)
			default:
				w.Header().Set("X-Checksum-SHA256", told)
				_, _ = w.Write(data)
			}
		})
		if stored, err := c.Publish(t.Context(), upload(data)); err != nil || stored.Confirmed {
			t.Errorf("%q, published: %+v %v", told, stored, err)
		}
		if f, err := c.Stat(t.Context(), file()); err != nil || f.SHA256 != "" {
			t.Errorf("%q, asked for: %+v %v", told, f, err)
		}
		if verified, err := c.Copy(t.Context(), file(), client.File{Size: -1}, io.Discard, nil); err != nil || verified {
			t.Errorf("%q, by the header: %v %v", told, verified, err)
		}
		if files, err := c.Files(t.Context(), "group/project", 1); err != nil || len(files) != 1 || files[0].SHA256 != "" {
			t.Errorf("%q, by the list: %+v %v", told, files, err)
		}
	}
}
