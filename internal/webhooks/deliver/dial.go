package deliver

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"granary/internal/webhooks"
)

// errBlocked has GitLab's words.
var errBlocked = errors.New("URL is blocked: Requests to the local network are not allowed")

// newClient makes a client that connects only to addresses that the guard permits. The
// guard checks each address just before the connection, after the name was resolved, so
// that changing the name's address gains nothing. The client follows no redirect and
// uses no proxy of the environment: a proxy would resolve the name itself.
func newClient(guard webhooks.Guard, verify bool) *http.Client {
	dialer := net.Dialer{
		Control: func(_, address string, _ syscall.RawConn) error {
			at, err := netip.ParseAddrPort(address)
			if err != nil || !guard.Permits(at.Addr()) {
				return errBlocked
			}
			return nil
		},
	}
	return &http.Client{
		Transport: &http.Transport{
			DialContext:            dialer.DialContext,
			TLSClientConfig:        &tls.Config{InsecureSkipVerify: !verify, MinVersion: tls.VersionTLS12},
			DisableCompression:     true, // the log shows what came, and a bomb stays small
			MaxIdleConnsPerHost:    2,
			IdleConnTimeout:        30 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// reason words why there was no answer: for the hook's owner, so without
// addresses of ours and without the URL, which may hold secrets.
func reason(err error) string {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	dns, _ := errors.AsType[*net.DNSError](err)
	cert, _ := errors.AsType[*tls.CertificateVerificationError](err)
	switch {
	case errors.Is(err, errBlocked):
		return errBlocked.Error()
	case dns != nil && dns.IsNotFound:
		return "Failed to open TCP connection: the name of the host is not known"
	case dns != nil:
		return "Failed to open TCP connection: the name of the host could not be resolved"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), timedOut(err):
		return "execution expired: no answer in time"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "Failed to open TCP connection: Connection refused"
	case cert != nil:
		return "SSL_connect: certificate verify failed: " + certFault(cert.Err)
	case isOp(err):
		return "Failed to open TCP connection, or it was cut"
	}
	return clip(strings.ToValidUTF8(err.Error(), "?"), 255)
}

func certFault(err error) string {
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "it is signed by an unknown authority"
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return "it is for another host"
	}
	return clip(err.Error(), 255)
}

func timedOut(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout()
}

func isOp(err error) bool {
	_, ok := errors.AsType[*net.OpError](err)
	return ok
}
