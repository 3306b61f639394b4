#!/bin/bash
# curl 7.88.1 (Debian 12) over HTTP/2: an upload that is refused before it was sent whole ends with
# exit code 92 and neither status nor body, because the server ends the stream after its answer,
# as RFC 9113, 8.1 has it. Over HTTP/1.1 the same refusal of the same server is shown.
# needs: curl 7.88.1 with HTTP/2, go 1.26.8 (net/http as the server)
. "$(dirname "$0")/lib.sh"
want version "$(curl --version | head -n 1 | cut -d' ' -f1-2)" "curl 7.88.1"
want "version of the server" "$(go env GOVERSION)" go1.26.8
cd "$work"
cat >main.go <<'GO'
package main

import (
	"fmt"
	"net"
	"net/http"
)

func main() {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(ln.Addr())
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	panic((&http.Server{Protocols: &protocols, Handler: http.HandlerFunc(refuse)}).Serve(ln))
}

func refuse(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusUnauthorized)
	fmt.Fprint(w, "the token is wrong")
}
GO
{ go mod init server && go build -o server; } >output 2>&1 || { cat output >&2; exit 1; }
./server >address &
for _ in $(seq 100); do [[ -s address ]] && break; sleep 0.05; done
truncate -s 30M file
upload() {
  local rc=0 said
  said=$(curl -q --noproxy '*' -s -w ' %{http_code}' "$1" --upload-file file "http://$(cat address)/") || rc=$?
  echo "$said, exit code $rc"
}
want "HTTP/1.1" "$(upload --http1.1)" "the token is wrong 401, exit code 0"
want "HTTP/2" "$(upload --http2-prior-knowledge)" " 000, exit code 92"
