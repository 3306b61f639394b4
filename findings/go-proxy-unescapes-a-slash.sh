#!/bin/bash
# Go's httputil.ReverseProxy (1.26.8) sends /projects/acme%2Ftools/^1 on as
# /projects/acme/tools/%5E1: with a raw ^ in the path, %2F is lost. So does Go's client.
# needs: go 1.26.8, curl, python3
. "$(dirname "$0")/lib.sh"
want version "$(go env GOVERSION)" go1.26.8
serve whole
cd "$work"
cat >main.go <<'GO'
package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
)

func main() {
	server := &url.URL{Scheme: "http", Host: os.Args[1]}
	if len(os.Args) > 2 {
		_, err := http.Get(server.String() + os.Args[2])
		fmt.Println(err)
		return
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(server) }}
	fmt.Println(httptest.NewServer(proxy).Listener.Addr())
	select {}
}
GO
{ go mod init proxy && go build -o proxy; } >output 2>&1 || { cat output >&2; exit 1; }
./proxy "127.0.0.1:$port" >address &
for _ in $(seq 100); do [[ -s address ]] && break; sleep 0.05; done
# arrives PATH: asks the proxy for it, prints what the server sees.
arrives() {
  curl -q --noproxy '*' -s -o /dev/null "http://$(cat address)$1"
  tail -n 1 "$log" | cut -d' ' -f2
}
want "%2F" "$(arrives /acme%2Ftools/1)" /acme%2Ftools/1
want "%2F and ^" "$(arrives '/acme%2Ftools/^1')" /acme/tools/%5E1
want "%2F and %5E" "$(arrives /acme%2Ftools/%5E1)" /acme%2Ftools/%5E1
NO_PROXY='*' ./proxy "127.0.0.1:$port" '/acme%2Ftools/^1' >output
want "Go's client" "$(tail -n 1 "$log" | cut -d' ' -f2)" /acme/tools/%5E1
