// semantic-release, which finds the version by itself: every file in built is a package file.
export default {
  branches: ["main"],
  repositoryUrl: process.env.REPOSITORY_URL,
  plugins: [
    "@semantic-release/commit-analyzer",
    [
      "@semantic-release/gitlab",
      {
        gitlabUrl: process.env.SERVER_URL,
        assets: [{ path: "built/*", target: "generic_package", packageName: "tool" }],
        successCommentCondition: false,
        failCommentCondition: false,
      },
    ],
  ],
};
