package granary_test

// The rules of the house: which room may import what, and why. If you need an import
// that is not here, add it here, with the reason, in the same commit; then
// `go test . -run TestLinterHasTheseRules -update` brings the rules to the linter. Tests
// are free: a rule's test may use the real database.

// room is a package, or a package and those below it that are no rooms of
// their own.
type room struct {
	path string   // below the module
	may  []string // rooms it may import, below internal/ but for those below dev/
	why  string   // why it may import no other
}

func rooms() []room {
	return []room{
		{"internal/fault", nil, "every room speaks of faults, so they know no room"},
		{"internal/page", []string{"fault"}, "every list is asked for by page, so a page knows no list"},
		{"internal/access", nil, "permission is a pure table: what it decides can be read and tested without anything else"},
		{"internal/access/accesstest", []string{"access"}, "the same table from GitLab's documentation: it shares the words with access, and no decision"},
		{"internal/gate", []string{"access", "fault"}, "a refusal is the same behind every door: it knows the verdict, and no thing"},
		{"internal/naming", []string{"fault"}, "what a name may look like hangs on nothing but the name and the grammar"},
		{"internal/eventually", nil, "tests of any room wait in the same way, whatever for"},
		{"internal/trouble", nil, "what fails again and again is told in the same way, whatever it is"},
		{"internal/audit", []string{"access"}, "an event says who did what to a thing by its name and id: it knows no thing"},
		{"internal/trail", []string{"gate", "access", "audit", "fault", "page"}, "reading the audit is a deed like others; writing it is part of every deed"},
		{"internal/openapi", nil, "the document is words; whether they are true, the tests of api say"},
		{"internal/wire", nil, "the JSON shapes are shared with the client, which must not drag the server along"},
		{"internal/blob", nil, "a store knows bytes and digests, not who wants them or what they are called"},
		{"internal/blob/disk", []string{"blob"}, "a store knows bytes and digests, not who wants them or what they are called"},
		{"internal/blob/s3", []string{"blob"}, "a store knows bytes and digests; stores share a contract and its tests, not code"},
		{"internal/blob/s3/s3test", []string{"dev/servers"}, "it runs another program, which tests of any room may ask for"},
		{"internal/blob/blobtest", []string{"blob"}, "the suite holds any store to the contract, so it knows none"},
		{"internal/records", []string{"blob"}, "the format is files, tables and rows, whatever they are called; the database knows which there are; a small body has a digest like any other"},
		{"internal/config", nil, "settings are words and numbers; only the daemon knows what they start"},
		{"internal/filelock", nil, "a lock is the kernel's: it knows a file, not what it is for"},
		{"internal/trace", nil, "a trace is continued in the same way, whoever asks and whatever is asked next"},
		{"internal/systemd", nil, "systemd is told the same whatever the service does, and passes sockets whatever they are for"},
		{"internal/httpd", []string{"trace"}, "running HTTP well is the same for any handler"},
		{"internal/certs", nil, "a certificate comes from files or an authority, whatever is served with it"},
		{"internal/throttle", nil, "counting asks for a key and a clock, and knows nobody behind the key"},
		{"internal/auth", []string{"gate", "access", "audit", "naming", "fault", "page", "throttle"}, "who is asking is settled without knowing what for; may they is access.Check"},
		{"internal/projects", []string{"gate", "access", "audit", "naming", "fault", "page"}, "projects are there before any package is"},
		{"internal/registry", []string{"gate", "access", "archive", "audit", "blob", "naming", "fault", "page", "proof", "versions"}, "the rules of packages hold behind every door and above every database"},
		{"internal/releases", []string{"gate", "access", "audit", "fault", "page"}, "a release is words and addresses: what it points at may be a package here or anything elsewhere"},
		{"internal/webhooks", []string{"gate", "access", "audit", "fault", "page", "trace"}, "whom to tell, of what and how often is decided without a network: what happened comes from the records, and deliver sends it"},
		{"internal/webhooks/deliver", []string{"webhooks", "wire", "fault", "trouble"}, "sending knows what to send and where it may go, not who asked for it nor where it is kept"},
		{"internal/sqldb", []string{"fault", "page", "trouble"}, "an engine runs queries and transactions, whatever is kept: it knows no thing"},
		{"internal/metadb", []string{"trail", "audit", "naming", "records", "registry", "releases", "webhooks", "projects", "auth", "access", "blob", "fault", "page", "sqldb", "trace", "versions"}, "records are kept here for the rooms that define them, for no door"},
		{"internal/metadb/metadbtest", []string{"metadb", "sqldb", "dev/servers"}, "fresh databases for any test need only the database and its server"},
		{"internal/metadb/recordstest", []string{"trail", "audit", "naming", "registry", "releases", "webhooks", "webhooks/deliver", "projects", "auth", "gate", "access", "blob", "fault", "page", "trace", "versions"}, "the suite holds any records to the contracts of the rooms, so it knows none"},
		{"internal/api", []string{"archive", "proof", "gate", "trail", "audit", "naming", "registry", "releases", "webhooks", "projects", "auth", "access", "wire", "openapi", "fault", "page", "throttle"}, "a door turns requests into deeds; it holds no SQL, no store and no setting"},
		{"internal/ui", []string{"access", "audit", "auth", "fault", "gate", "naming", "openapi", "page", "projects", "registry", "releases", "throttle", "trail", "versions", "webhooks"}, "a door turns requests into deeds, as api does; it shows the OpenAPI document, and holds no SQL, no store and no setting"},
		{"internal/versions", nil, "the order of versions is the same for server and client: it knows texts"},
		{"internal/proof", nil, "a digest means the same for server and client: it knows paths and digests"},
		{"internal/archive", nil, "the layout of an archive depends on names, sizes and times; an Opener says where the bytes are"},
		{"internal/client", []string{"filelock", "proof", "versions", "wire"}, "the client works against any server of this API, so it knows ours only by its wire"},
		{"internal/daemon", []string{"access", "api", "audit", "auth", "blob", "blob/disk", "blob/s3", "certs", "config", "fault", "filelock", "webhooks", "webhooks/deliver", "page", "httpd", "metadb", "naming", "projects", "records", "registry", "releases", "sqldb", "systemd", "throttle", "trace", "trail", "trouble", "ui", "wire"}, "the server is put together here, below the command line and without the tests' tools"},
		{"internal/cli", []string{"client", "config", "daemon", "filelock", "versions", "wire"}, "a command asks the client or the daemon; a rule in it would hold for nobody else"},
		{"dev/servers", nil, "programs are started the same way, whatever they serve"},
		{"dev/cluster", []string{"dev/servers"}, "the cluster is made of programs: it starts ours as it starts the others"},
		{"dev/bench", []string{"dev/servers", "dev/cluster"}, "the bench sees servers from outside, ours like any other"},
		{"cmd/granary", []string{"cli"}, "main hands over to cli and returns its exit code"},
		{"e2e", []string{"cli"}, "the program is tested as its users run it"},
	}
}

// limit holds packages from elsewhere to some rooms: to those in only, or, where
// that is empty, to all but those in never.
type limit struct {
	pkg   string // and all below it
	only  []string
	never []string
	why   string
}

// limits lists every third-party module the program uses: one that is not here
// fails the test, since a dependency is a decision.
func limits() []limit {
	pure := []string{"internal/access", "internal/audit", "internal/auth", "internal/fault", "internal/gate", "internal/webhooks", "internal/naming", "internal/page", "internal/projects", "internal/proof", "internal/archive", "internal/registry", "internal/releases", "internal/throttle", "internal/trail"}
	tests := []string{"internal/blob/blobtest", "internal/metadb/metadbtest", "internal/metadb/recordstest"}
	return []limit{
		{pkg: "net/http", only: []string{"internal/api", "internal/ui", "internal/httpd", "internal/certs", "internal/client", "internal/cli", "internal/daemon", "internal/blob/s3", "dev/servers", "dev/bench", "internal/webhooks/deliver"},
			why: "HTTP ends at the doors; what lies behind serves the command line and tests as well"},
		{pkg: "database/sql", only: []string{"internal/sqldb", "internal/metadb", "internal/metadb/metadbtest"},
			why: "there is one text for each query, and it is in metadb"},
		{pkg: "encoding/json", never: pure, why: "shapes of the API belong in wire; a rule does not change when they do"},
		{pkg: "os", never: pure, why: "a rule reads no file, no variable and no process; it is told"},
		{pkg: "path/filepath", never: pure, why: "a rule knows names, not where bytes lie"},
		{pkg: "io", never: []string{"internal/access"}, why: "access is pure: no I/O"},
		{pkg: "net", never: []string{"internal/access"}, why: "access is pure: no I/O"},
		{pkg: "time", never: []string{"internal/access"}, why: "access is pure: no clock; what has expired is refused before it asks"},

		{pkg: "modernc.org/sqlite", only: []string{"internal/sqldb"}, why: "only the engine knows which database it is"},
		{pkg: "github.com/jackc/pgx", only: []string{"internal/sqldb", "internal/metadb/metadbtest"}, why: "only the engine knows which database it is"},
		{pkg: "github.com/pressly/goose", only: []string{"internal/sqldb"}, why: "only the engine migrates a schema"},
		{pkg: "github.com/minio/minio-go", only: []string{"internal/blob/s3", "internal/blob/s3/s3test", "dev/bench"}, why: "kept behind one package and its test server, so that another S3 client can take its place; the bench is a plain client beside it"},
		{pkg: "golang.org/x/crypto", only: []string{"internal/certs"}, why: "only certificates come from an ACME authority"},
		{pkg: "golang.org/x/net", only: []string{"dev/servers"}, why: "the name server of the tests' ACME authority packs its answers by it"},
		{pkg: "golang.org/x/sync", only: []string{"internal/blob", "internal/blob/s3", "internal/client", "internal/cli"}, why: "memory is shared out between uploads; copies, files and the parts of a download run in parallel; nowhere else"},
		{pkg: "github.com/prometheus/client_golang", only: []string{"internal/httpd", "internal/daemon", "internal/webhooks/deliver"}, why: "counting is done around the rooms, not in them"},
		{pkg: "github.com/spf13/cobra", only: []string{"internal/cli"}, why: "flags are turned into settings in one place"},
		{pkg: "github.com/spf13/pflag", only: []string{"internal/cli", "internal/config"}, why: "flags are turned into settings in one place"},
		{pkg: "github.com/klauspost/compress", only: []string{"internal/archive", "internal/client", "internal/records"}, why: "archives and records are compressed; the client checks archives as they arrive"},
		{pkg: "github.com/Masterminds/semver", only: []string{"internal/client", "internal/cli"},
			why: "ranges beyond the selectors of internal/versions are the client's"},
		{pkg: "github.com/bmatcuk/doublestar", only: []string{"internal/cli"}, why: "patterns of files are the command line's"},
		{pkg: "golang.org/x/term", only: []string{"internal/cli"}, why: "only the command line has a terminal"},
		{pkg: "go.yaml.in/yaml", only: []string{"internal/config", "internal/openapi"}, why: "the settings file and the OpenAPI document are the only YAML"},
		{pkg: "golang.org/x/sys", only: []string{"dev/bench", "internal/blob/disk", "internal/daemon", "internal/filelock", "internal/httpd"}, why: "system calls are for the disk store, for locks, for sockets, for starting and stopping, and for measuring without the page cache"},
		{pkg: "github.com/yuin/goldmark", only: []string{"internal/ui"}, why: "only pages show Markdown as HTML"},
		{pkg: "github.com/google/go-cmp", only: tests, why: "for tests only: it may panic"},
		{pkg: "github.com/rogpeppe/go-internal", only: []string{"e2e"}, why: "for tests only"},
		{pkg: "github.com/santhosh-tekuri/jsonschema", only: tests, why: "for tests only: answers are held against the OpenAPI document"},
		{pkg: "github.com/anishathalye/porcupine", only: tests, why: "for tests only: histories of a version are held against a model of it"},
		{pkg: "github.com/chromedp/chromedp", only: []string{"e2e"}, why: "for tests only: a browser asks as pages do"},
		{pkg: "gitlab.com/gitlab-org/api/client-go", only: []string{"e2e"}, why: "for tests only: it is the user nobody here wrote"},
	}
}

// tables names the package variables that are values and never change, and why
// a constant or a function would not do.
func tables() map[string]string {
	return map[string]string{
		"internal/access.rules":                     "the permission table, read at every request; Go has no constant arrays",
		"internal/metadb/metadbtest.server":         "the one PostgreSQL of a test process: starting one for each test takes seconds",
		"internal/metadb/metadbtest/fresh.template": "the empty database of a test process, of which each test has a copy",
		"cmd/granary.version":                       "set by the linker, -X main.version=...",
		"cmd/granary.commit":                        "set by the linker, -X main.commit=...: a build that is the same everywhere asks no version control",
	}
}
