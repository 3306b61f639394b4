package cluster

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"granary/dev/servers"
)

// balancerSite is nginx's configuration, with words to replace.
const balancerSite = `
	upstream nodes {
		SERVERS
		keepalive 64;
	}
	server {
		listen ADDRESS reuseport;
		location / {
			proxy_pass http://nodes;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_set_header Host $http_host;
			proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
			proxy_set_header X-Forwarded-Proto $scheme;
			proxy_request_buffering off;
			proxy_buffering off;
			proxy_connect_timeout 2s;
			error_page 502 504 = @unavailable;
		}
		location @unavailable {
			internal;
			default_type application/json;
			add_header Retry-After 1 always;
			return 503 '{"message":"503 Service Unavailable"}';
		}
	}
`

// Balance starts nginx at an address, in front of the first so many nodes. It does not
// buffer bodies. A node that does not answer gets no requests for two seconds; requests
// that it had not begun to answer go to another node if they are idempotent, and get
// 503 otherwise. It ends with the cluster.
func (c *Cluster) Balance(ctx context.Context, address string, nodes int) (*servers.Process, error) {
	var list strings.Builder
	for _, node := range c.Addresses[:nodes] {
		list.WriteString("server " + node + " max_fails=1 fail_timeout=2s;\n")
	}
	site := strings.NewReplacer("ADDRESS", address, "SERVERS", list.String()).Replace(balancerSite)
	p, err := servers.Nginx(filepath.Join(c.dir, fmt.Sprint("nginx", len(c.balancers))), address, site)
	if err != nil {
		return nil, err
	}
	c.balancers = append(c.balancers, p)
	return p, p.Start(ctx)
}
