// The asset with a target becomes a package file, the other one an upload.
export default {
  branches: ["main"],
  repositoryUrl: process.env.REPOSITORY_URL,
  plugins: [
    "@semantic-release/commit-analyzer",
    "@semantic-release/release-notes-generator",
    [
      "@semantic-release/gitlab",
      {
        gitlabUrl: process.env.GRANARY_URL,
        assets: [
          { path: "dist/tool.tar.gz", label: "tool.tar.gz", target: "generic_package", packageName: "tool", filepath: "/tool.tar.gz" },
          { path: "dist/CHANGES.txt", label: "changes", filepath: "/CHANGES.txt" },
        ],
      },
    ],
  ],
};
